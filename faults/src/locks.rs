//! Who holds what others wait for.

use std::{path::PathBuf, process::Stdio};

use anyhow::Context;

use super::{
    fault::{Family, Fault},
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
        takes_path: true,
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
        takes_path: true,
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
        takes_path: true,
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
        takes_path: false,
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
        takes_path: false,
        play: |stage| idle_in_transaction(stage, |table| format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")),
    },
];

const OWN_VICTIMS: usize = 3;

/// The log whose lock is to be held, and those who append to it, after all was well.
fn log(stage: &mut Stage) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    if !stage.plays_in_shop() {
        return own_scene(stage, "app.log", Part::LogWriter);
    }
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let writers = shop.suspects(&["web"]);
    Ok((shop.audit_log, writers))
}

/// A file of the fault's own, and those who write to it, after all was well.
fn own_scene(stage: &mut Stage, named: &str, writer: fn(PathBuf) -> Part) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    let file = stage.file(named)?;
    let writers = (0..OWN_VICTIMS).map(|_| Ok(Suspect::process(stage.start(&writer(file.clone()))?)));
    let writers = writers.collect::<anyhow::Result<_>>()?;
    stage.all_is_well()?;
    Ok((file, writers))
}

fn flock(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (log, writers) = log(stage)?;
    let rotator = stage.start(&Part::LogRotator(log.clone()))?;
    Ok(Deed::of(vec![Suspect::process(rotator).about(&log)], writers))
}

fn forked_holder(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (log, writers) = log(stage)?;
    let child = stage.start_heir(&Part::Deployer(log.clone()))?;
    Ok(Deed::of(vec![Suspect::process(child).about(&log)], writers))
}

fn posix_lock(stage: &mut Stage) -> anyhow::Result<Deed> {
    if stage.plays_in_shop() {
        stage.all_is_well()?;
        let shop = stage.shop()?;
        let worker = shop.one("queue")?;
        stage.order(worker, "ledger")?;
        let culprit = Suspect::part(worker).about(&shop.ledger);
        return Ok(Deed::of(vec![culprit], shop.suspects(&["biller", "web"])));
    }
    let (ledger, billers) = own_scene(stage, "ledger.dat", Part::Biller)?;
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
