//! A part of a fault, played to its end by this process.

use std::{os::unix::process::CommandExt, process::exit};

use anyhow::Context;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal, setsid};

use super::{cpu, disk, locks, memory, network, part::Part, process};

/// Plays a part to its end.
///
/// # Errors
/// What stopped it.
pub fn play(part: &Part, parent: i32) -> anyhow::Result<()> {
    std::fs::write("/proc/self/comm", part.name()).context("cannot take the name of a part")?;
    // A session of its own, as a service has: an interrupt from the keyboard is not for it, and a scheduler that shares the
    // processors among sessions gives it a share.
    let _ = setsid();
    // Who is left behind has no parent by intention.
    if *part != Part::AppServer {
        die_with(parent)?;
    }
    match part {
        Part::Worker => cpu::work(),
        Part::Indexer => cpu::index(),
        Part::LogWriter(file) => locks::write_lines(file),
        Part::LogRotator(file) => locks::keep(file),
        Part::Deployer(file) => locks::leave_behind(file),
        Part::AppServer => locks::serve_on(),
        Part::Biller(file) => locks::bill(file),
        Part::Reconciler(file) => locks::reconcile(file),
        Part::Journal(file) => disk::write_journal(file),
        Part::Backup(file) => disk::write_and_sync(file),
        Part::Thumbnailer(file) => disk::fill(file),
        Part::Importer(file) => memory::import(file),
        Part::Crawler(address) => network::crawl(address),
        Part::CronRunner => process::run_commands(),
        Part::SessionServer(leak) => process::leak(*leak),
        Part::Program(words) => become_program(words),
    }
}

/// Has the kernel kill this process when the one that started it is gone, however that comes. It outlasts [`become_program`].
fn die_with(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot ask to end with the parent process")?;
    // It may have ended before the kernel was asked; another is the parent then.
    if getppid().map_or(0, Pid::as_raw_pid) != parent {
        exit(1);
    }
    Ok(())
}

fn become_program(words: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("no program is named")?;
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run `{program}`"))
}
