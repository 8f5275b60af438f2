//! The helpers of lock faults, which take locks.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Stdio, exit},
    time::Duration,
};

use anyhow::Context;
use rustix::{
    fs::{FlockOperation, fcntl_lock, flock},
    io::retry_on_intr,
};

use crate::helper::{self, Helper};

/// Time between two lines of a writer: many lines per second, but little load.
const PAUSE: Duration = Duration::from_millis(20);
/// A log is truncated after this many lines, far below a megabyte.
const MAX_LINES: u64 = 10_000;

/// Helper `log-writer`: appends lines to a file, each under `flock`.
///
/// # Errors
/// If the file cannot be locked or written.
pub fn append_lines(path: &Path) -> anyhow::Result<()> {
    let mut log = open(path)?;
    for n in 1_u64.. {
        take_flock(&log, path)?;
        if n % MAX_LINES == 0 {
            log.set_len(0).with_context(|| format!("cannot truncate `{}`", path.display()))?;
        }
        let written = writeln!(log, "line {n} of {}", std::process::id());
        written.with_context(|| format!("cannot append to `{}`", path.display()))?;
        flock(&log, FlockOperation::Unlock).with_context(|| format!("cannot unlock `{}`", path.display()))?;
        if n == 1 {
            helper::report_ready()?;
        }
        helper::pause(PAUSE);
    }
    Ok(())
}

/// Helper `log-rotator`: takes the `flock` of a file and holds it.
///
/// # Errors
/// If the file cannot be locked.
pub fn hold_flock(path: &Path) -> anyhow::Result<()> {
    let log = open(path)?;
    take_flock(&log, path)?;
    helper::report_ready()?;
    helper::hang()
}

/// Helper `log-rotator` of a lock chain: holds the `flock` of a log while it waits for another.
///
/// # Errors
/// If a file cannot be locked.
pub fn hold_flock_and_wait(path: &Path, other: &Path) -> anyhow::Result<()> {
    let log = open(path)?;
    take_flock(&log, path)?;
    helper::report_ready()?;
    let archive = open(other)?;
    take_flock(&archive, other)?;
    helper::hang()
}

/// Helper `deploy`: takes the `flock` of a file, starts a process with that file as its standard
/// error, and exits. The child keeps the lock.
///
/// # Errors
/// If the file cannot be locked, or the child cannot be started.
pub fn lock_and_fork(path: &Path) -> anyhow::Result<()> {
    let log = open(path)?;
    take_flock(&log, path)?;
    helper::report_ready()?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["fault", "helper", "--parent", "0"]).arg(serde_json::to_string(&Helper::AppServer)?);
    // The child must not hold the guard's pipe: it exits with the injecting process, which waits
    // for the guard.
    command.stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(log);
    command.spawn().context("cannot start the process that keeps the lock")?;
    Ok(())
}

/// Helper `app-server`: prints its pid repeatedly and exits when no process reads it, because it
/// has no parent with which it could die.
///
/// # Errors
/// None. It prints no error, because its standard error is the locked file.
pub fn run_orphan() -> anyhow::Result<()> {
    const INTERVAL: Duration = Duration::from_millis(100);
    let pid = std::process::id().to_string();
    while helper::print_line(&pid).is_ok() {
        helper::pause(INTERVAL);
    }
    exit(0)
}

/// Helper `biller`: writes to the start of a file, each time under its POSIX lock.
///
/// # Errors
/// If the file cannot be locked or written.
pub fn write_ledger(path: &Path) -> anyhow::Result<()> {
    let mut ledger = open(path)?;
    for n in 1_u64.. {
        take_posix_lock(&ledger, path)?;
        let written = ledger.seek(SeekFrom::Start(0)).and_then(|_| writeln!(ledger, "{n:>20}"));
        written.with_context(|| format!("cannot write to `{}`", path.display()))?;
        fcntl_lock(&ledger, FlockOperation::Unlock).with_context(|| format!("cannot unlock `{}`", path.display()))?;
        if n == 1 {
            helper::report_ready()?;
        }
        helper::pause(PAUSE);
    }
    Ok(())
}

/// Helper `reconciler`: takes the POSIX lock of a file and holds it.
///
/// # Errors
/// If the file cannot be locked.
pub fn hold_posix_lock(path: &Path) -> anyhow::Result<()> {
    let ledger = open(path)?;
    take_posix_lock(&ledger, path)?;
    helper::report_ready()?;
    helper::hang()
}

fn open(path: &Path) -> anyhow::Result<File> {
    helper::open(File::options().read(true).append(true), path)
}

fn take_flock(file: &File, path: &Path) -> anyhow::Result<()> {
    let locked = retry_on_intr(|| flock(file, FlockOperation::LockExclusive));
    locked.with_context(|| format!("cannot lock `{}`", path.display()))
}

fn take_posix_lock(file: &File, path: &Path) -> anyhow::Result<()> {
    let locked = retry_on_intr(|| fcntl_lock(file, FlockOperation::LockExclusive));
    locked.with_context(|| format!("cannot lock `{}`", path.display()))
}
