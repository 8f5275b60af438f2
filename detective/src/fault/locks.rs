//! Who holds what others wait for.

use std::{path::PathBuf, process::Stdio};

use anyhow::Context;

use super::{
    catalogue::{Family, Fault},
    need::Need,
    part::Part,
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
};

mod holders;

pub use holders::{bill, keep, leave_behind, reconcile, serve_on, write_lines};

/// The faults of this family.
pub const FAULTS: [Fault; 5] = [
    Fault {
        name: "flock",
        family: Family::Locks,
        does: "a foreign process keeps the lock of a log file that others append to",
        blame: "the `log-rotator`",
        suffers: "the shop's web workers; without the shop or with `--path`, writers of the fault's own",
        bounds: "one lock",
        undone: "its process ends; a file of its own is removed",
        needs: &[],
        takes: Takes { memory: 16, disk: 16 },
        play: flock,
    },
    Fault {
        name: "forked-holder",
        family: Family::Locks,
        does: "a foreign process locks a log file, leaves the lock to its child and ends",
        blame: "the child, an `app-server`",
        suffers: "the shop's web workers; without the shop or with `--path`, writers of the fault's own",
        bounds: "one lock",
        undone: "the child sees that nobody hears it any more; a file of its own is removed",
        needs: &[],
        takes: Takes { memory: 16, disk: 16 },
        play: forked_holder,
    },
    Fault {
        name: "posix-lock",
        family: Family::Locks,
        does: "a process keeps the POSIX lock of a ledger that others write to",
        blame: "the shop's queue worker; without the shop or with `--path`, a `reconciler`",
        suffers: "the shop's biller and web workers; else billers of the fault's own",
        bounds: "one lock",
        undone: "the worker sees that nobody orders it any more; processes and a file of the fault's own are removed",
        needs: &[],
        takes: Takes { memory: 16, disk: 16 },
        play: posix_lock,
    },
    Fault {
        name: "row-lock",
        family: Family::Locks,
        does: "a client keeps a transaction open that has locked the rows of the stock",
        blame: "the client, a `psql`, or the database's process for it",
        suffers: "the web workers whose orders change the stock",
        bounds: "one transaction, which changes nothing",
        undone: "the client ends, and the database rolls back",
        needs: &[Need::Shop, Need::Tool("psql")],
        takes: Takes { memory: 16, disk: 0 },
        play: |stage| {
            idle_in_transaction(stage, |table| format!("DO $$ BEGIN PERFORM 1 FROM {table} FOR UPDATE; END $$"))
        },
    },
    Fault {
        name: "table-lock",
        family: Family::Locks,
        does: "a client keeps a transaction open that has locked the table of the stock",
        blame: "the client, a `psql`, or the database's process for it",
        suffers: "the web workers, none of which can even read the stock",
        bounds: "one transaction, which changes nothing",
        undone: "the client ends, and the database rolls back",
        needs: &[Need::Shop, Need::Tool("psql")],
        takes: Takes { memory: 16, disk: 0 },
        play: |stage| idle_in_transaction(stage, |table| format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")),
    },
];

const OWN_VICTIMS: usize = 3;

/// The log whose lock is to be held, and those who append to it.
fn log(stage: &mut Stage) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    match stage.shop_unless_path() {
        Some(shop) => Ok((shop.audit_log.clone(), shop.suspects(&["web"]))),
        None => own_scene(stage, "app.log", Part::LogWriter),
    }
}

/// A file of the fault's own, and those who write to it.
fn own_scene(stage: &mut Stage, named: &str, writer: fn(PathBuf) -> Part) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    let file = stage.file(named)?;
    let writers = (0..OWN_VICTIMS).map(|_| Ok(Suspect::process(stage.start(&writer(file.clone()))?)));
    let writers = writers.collect::<anyhow::Result<_>>()?;
    Ok((file, writers))
}

fn flock(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (log, writers) = log(stage)?;
    stage.all_is_well()?;
    let rotator = stage.start(&Part::LogRotator(log.clone()))?;
    Ok(Deed::of(vec![Suspect::process(rotator).about(&log)], writers))
}

fn forked_holder(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (log, writers) = log(stage)?;
    stage.all_is_well()?;
    let child = stage.start_heir(&Part::Deployer(log.clone()))?;
    Ok(Deed::of(vec![Suspect::process(child).about(&log)], writers))
}

fn posix_lock(stage: &mut Stage) -> anyhow::Result<Deed> {
    if let Some(shop) = stage.shop_unless_path() {
        let worker = shop.one("queue")?;
        stage.all_is_well()?;
        stage.order(worker, "ledger")?;
        let culprit = Suspect::part(worker).about(&shop.ledger);
        return Ok(Deed::of(vec![culprit], shop.suspects(&["biller", "web"])));
    }
    let (ledger, billers) = own_scene(stage, "ledger.dat", Part::Biller)?;
    stage.all_is_well()?;
    let reconciler = stage.start(&Part::Reconciler(ledger.clone()))?;
    Ok(Deed::of(vec![Suspect::process(reconciler).about(&ledger)], billers))
}

/// A person at the database's prompt, who was called away.
fn idle_in_transaction(stage: &mut Stage, statement: fn(&str) -> String) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let database = &shop.database;
    let (host, port) = database.endpoint.rsplit_once(':').context("the database has no port")?;
    let words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port];
    let words = words.into_iter().chain(["-U", &database.user, "-d", &database.name]);
    let client = stage.start_with(&Part::Program(words.map(str::to_owned).collect()), Stdio::piped())?;
    stage.tell(client, &format!("BEGIN;\n{};\nSELECT pg_backend_pid();\n", statement(&database.table)))?;
    let backend = stage.hear(client)?;
    let backend =
        backend.parse().with_context(|| format!("expected a process id of the database, found `{backend}`"))?;
    Ok(Deed::of(vec![Suspect::process(client), Suspect::process(backend)], shop.suspects(&["web"])))
}
