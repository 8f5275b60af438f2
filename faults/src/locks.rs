//! Faults of locks that are held for too long.

use std::path::PathBuf;

use anyhow::Context;

use super::{
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::Helper,
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
    workload::Postgres,
};

mod holders;

pub use holders::{
    append_lines, hold_flock, hold_flock_and_wait, hold_posix_lock, lock_and_fork, run_orphan, write_ledger,
};

/// The faults of this family.
pub const FAULTS: [Fault; 6] = [
    Fault {
        name: "flock",
        family: Family::Locks,
        description: "an unrelated process holds the flock on a log file to which others append",
        root_cause: "the `log-rotator`",
        affected: "the workload's workers; without a workload or with `--path`, helpers `log-writer`",
        limits: "one lock",
        undo: "the processes are killed; a file that the fault created is removed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 16, disk_mb: 16 },
        accepts_path: true,
        inject: flock,
    },
    Fault {
        name: "forked-holder",
        family: Family::Locks,
        description: "an unrelated process locks a log file, passes the lock to its child and exits",
        root_cause: "the child, an `app-server`",
        affected: "the workload's workers; without a workload or with `--path`, helpers `log-writer`",
        limits: "one lock",
        undo: "the child exits when the injecting process does; a file that the fault created is removed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 16, disk_mb: 16 },
        accepts_path: true,
        inject: forked_holder,
    },
    Fault {
        name: "lock-chain",
        family: Family::Locks,
        description: "an unrelated process holds the lock of an archive, for which another waits that has locked a log",
        root_cause: "the `archiver`",
        affected: "the `log-rotator`, and the workload's writers of the log; without a workload, helpers `log-writer`",
        limits: "two locks",
        undo: "the processes are killed; files that the fault created are removed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 16, disk_mb: 16 },
        accepts_path: false,
        inject: lock_chain,
    },
    Fault {
        name: "posix-lock",
        family: Family::Locks,
        description: "a process holds the POSIX lock on a ledger to which others write",
        root_cause: "the shop's queue worker or a worker of the warehouse; without a workload or with `--path`, a `reconciler`",
        affected: "the ledger's other users; without a workload or with `--path`, helpers `biller`",
        limits: "one lock",
        undo: "the worker ends the bug when the control connection closes; helpers are killed, and a file that \
               the fault created is removed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 16, disk_mb: 16 },
        accepts_path: true,
        inject: posix_lock,
    },
    Fault {
        name: "row-lock",
        family: Family::Locks,
        description: "a database client is idle in a transaction that has locked all rows of the stock",
        root_cause: "the client, a `psql`, or the database's process that serves it",
        affected: "the web workers whose orders update the stock",
        limits: "one transaction that changes nothing",
        undo: "the client is killed, and the database rolls back",
        requirements: &[Requirement::Postgres, Requirement::Tool("psql")],
        uses: ResourceUse { memory_mb: 16, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| idle_in_transaction(injector, "SELECT 1 FROM :\"table\" FOR UPDATE \\g /dev/null"),
    },
    Fault {
        name: "table-lock",
        family: Family::Locks,
        description: "a database client is idle in a transaction that has locked the table of the stock",
        root_cause: "the client, a `psql`, or the database's process that serves it",
        affected: "the web workers, which cannot even read the stock",
        limits: "one transaction that changes nothing",
        undo: "the client is killed, and the database rolls back",
        requirements: &[Requirement::Postgres, Requirement::Tool("psql")],
        uses: ResourceUse { memory_mb: 16, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| idle_in_transaction(injector, "LOCK TABLE :\"table\" IN ACCESS EXCLUSIVE MODE;"),
    },
];

/// Helpers that are affected if no workload runs.
const WRITERS: usize = 3;

/// Waits until the fault is due. Returns the log to lock and the processes that append to it.
fn prepare_log(injector: &mut Injector) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    if !injector.uses_workload_file() {
        return prepare_own_file(injector, "app.log", Helper::LogWriter);
    }
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let writers = workload.suspects(&workload.log.users);
    Ok((workload.log.path, writers))
}

/// Creates a file, starts helpers that write to it, and waits until the fault is due. Returns the
/// file and the helpers.
fn prepare_own_file(
    injector: &mut Injector,
    name: &str,
    writer: fn(PathBuf) -> Helper,
) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    let file = injector.create_own_file(name)?;
    let writers = (0..WRITERS).map(|_| Ok(Suspect::process(injector.start(&writer(file.clone()))?)));
    let writers = writers.collect::<anyhow::Result<_>>()?;
    injector.wait_before_fault()?;
    Ok((file, writers))
}

fn flock(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let (log, affected) = prepare_log(injector)?;
    let rotator = injector.start(&Helper::LogRotator(log.clone()))?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(rotator).with_path(&log)], affected })
}

fn forked_holder(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let (log, affected) = prepare_log(injector)?;
    let child = injector.start_orphan(&Helper::Deployer(log.clone()))?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(child).with_path(&log)], affected })
}

/// The archiver holds the archive's lock, for which the rotator waits while it holds the log's.
fn lock_chain(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let (log, mut affected) = prepare_log(injector)?;
    let archive = injector.create_own_file("archive.dat")?;
    let archiver = injector.start(&Helper::Archiver(archive.clone()))?;
    let rotator = injector.start(&Helper::WaitingRotator { log, archive: archive.clone() })?;
    affected.push(Suspect::process(rotator));
    Ok(GroundTruth { root_cause: vec![Suspect::process(archiver).with_path(&archive)], affected })
}

fn posix_lock(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    if injector.uses_workload_file() {
        injector.wait_before_fault()?;
        let workload = injector.current_workload()?;
        let ledger = &workload.ledger;
        let holder = workload.pick_for("ledger")?;
        injector.start_bug(holder, "ledger")?;
        let mut affected = workload.suspects(&ledger.users);
        affected.retain(|suspect| !holder.suspects().contains(suspect));
        return Ok(GroundTruth { root_cause: vec![holder.suspect().with_path(&ledger.path)], affected });
    }
    let (ledger, affected) = prepare_own_file(injector, "ledger.dat", Helper::Biller)?;
    let reconciler = injector.start(&Helper::Reconciler(ledger.clone()))?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(reconciler).with_path(&ledger)], affected })
}

/// Executes a statement in a transaction and leaves it open, as a person at a `psql` prompt might.
/// `psql` quotes the variable `table` in it.
fn idle_in_transaction(injector: &mut Injector, statement: &str) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let database = workload.postgres.as_ref().context("the workload has no PostgreSQL")?;
    let client = injector.start_with_pipe(&Helper::Program(psql(database)))?;
    injector.write_stdin(client, &format!("BEGIN;\n{statement}\nSELECT pg_backend_pid();\n"))?;
    let backend = injector.read_line(client)?;
    let backend =
        backend.parse().with_context(|| format!("expected a process id of the database, found {backend:?}"))?;
    let root_cause = vec![Suspect::process(client), Suspect::process(backend)];
    Ok(GroundTruth { root_cause, affected: workload.suspects(&["worker"]) })
}

/// The command line of a client of the database.
fn psql(database: &Postgres) -> Vec<String> {
    let Postgres { endpoint, name, user, table } = database;
    let words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v"].map(str::to_owned);
    let values = [
        format!("table={table}"),
        format!("--host={}", endpoint.ip()),
        format!("--port={}", endpoint.port()),
        format!("--username={user}"),
        format!("--dbname={name}"),
    ];
    words.into_iter().chain(values).collect()
}
