//! The main function of a fault helper.

use std::{os::unix::process::CommandExt, process::exit};

use anyhow::Context;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal, setsid};

use super::{cpu, disk, helper::Helper, locks, memory, network, process};

/// Runs a helper until its process is killed.
///
/// # Errors
/// If the helper cannot do its work.
pub fn run(helper: &Helper, parent: i32) -> anyhow::Result<()> {
    std::fs::write("/proc/self/comm", helper.name()).context("cannot set the process name of a fault helper")?;
    // A session of its own, as services have: Ctrl-C does not reach it, and a scheduler that shares
    // the CPUs among sessions (autogroup) gives it a share.
    let _ = setsid();
    // An orphan has no parent by intention.
    if *helper != Helper::AppServer {
        die_with_parent(parent)?;
    }
    match helper {
        Helper::Worker => cpu::compute_periodically(),
        Helper::Indexer => cpu::compute_continuously(),
        Helper::LogWriter(file) => locks::append_lines(file),
        Helper::LogRotator(file) | Helper::Archiver(file) => locks::hold_flock(file),
        Helper::WaitingRotator { log, archive } => locks::hold_flock_and_wait(log, archive),
        Helper::Deployer(file) => locks::lock_and_fork(file),
        Helper::AppServer => locks::run_orphan(),
        Helper::Biller(file) => locks::write_ledger(file),
        Helper::Reconciler(file) => locks::hold_posix_lock(file),
        Helper::Journal(file) => disk::write_journal(file),
        Helper::Backup(file) => disk::write_and_sync(file),
        Helper::Thumbnailer(file) => disk::fill(file),
        Helper::Importer(file) => memory::exhaust_cgroup(file),
        Helper::Crawler(address) => network::hold_connections(*address),
        Helper::CronRunner => process::run_scripts(),
        Helper::SessionServer(leak) => process::leak(*leak),
        Helper::Program(words) => exec(words),
    }
}

/// Makes the kernel kill this process when its parent exits for any reason. [`exec`] keeps that.
fn die_with_parent(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot set the parent death signal")?;
    // The parent may have exited before the call; then the process has another parent.
    if getppid().map_or(0, Pid::as_raw_pid) != parent {
        exit(1);
    }
    Ok(())
}

fn exec(words: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("the fault helper got no program to run")?;
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run `{program}`"))
}
