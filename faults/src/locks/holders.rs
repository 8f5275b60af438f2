//! Those who take locks: the ones who let go of them, and the ones who do not.

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

use crate::part::{self, BEGUN, Part};

/// Between two lines of a writer: many a second, and yet no load.
const PAUSE: Duration = Duration::from_millis(20);
/// A log is begun anew after so many lines, which is far from a megabyte.
const MOST_LINES: u64 = 10_000;

/// Appends lines, each under the file's lock.
///
/// # Errors
/// If the file cannot be locked or written to.
pub fn write_lines(path: &Path) -> anyhow::Result<()> {
    let mut log = open(path)?;
    for n in 1_u64.. {
        lock(&log, path)?;
        if n % MOST_LINES == 0 {
            log.set_len(0).with_context(|| format!("cannot truncate `{}`", path.display()))?;
        }
        let written = writeln!(log, "line {n} of {}", std::process::id());
        written.with_context(|| format!("cannot append to `{}`", path.display()))?;
        flock(&log, FlockOperation::Unlock).with_context(|| format!("cannot unlock `{}`", path.display()))?;
        if n == 1 {
            part::tell(BEGUN)?;
        }
        part::pause(PAUSE);
    }
    Ok(())
}

/// Takes the lock of a file and keeps it.
///
/// # Errors
/// If it cannot be locked.
pub fn keep(path: &Path) -> anyhow::Result<()> {
    let log = open(path)?;
    lock(&log, path)?;
    part::tell(BEGUN)?;
    part::hang()
}

/// Takes the lock of a file, starts a process that has the file for its standard error, and ends: the lock stays.
///
/// # Errors
/// If the file cannot be locked, or nothing can be started.
pub fn leave_behind(path: &Path) -> anyhow::Result<()> {
    let log = open(path)?;
    lock(&log, path)?;
    part::tell(BEGUN)?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["fault", "part", "--parent", "0"]).arg(serde_json::to_string(&Part::AppServer)?);
    // The guard's pipe is not left to it: it ends with the process that hears it, which waits for the guard.
    command.stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(log);
    command.spawn().context("cannot start who is to be left behind")?;
    Ok(())
}

/// Says its process id again and again, and ends when nobody hears it any more: no parent ends it.
///
/// # Errors
/// None; it ends without a word, for its standard error is somebody else's file.
pub fn serve_on() -> anyhow::Result<()> {
    const OFTEN: Duration = Duration::from_millis(100);
    let pid = std::process::id().to_string();
    while part::tell(&pid).is_ok() {
        part::pause(OFTEN);
    }
    exit(0)
}

/// Writes to the head of a file, each time under its POSIX lock.
///
/// # Errors
/// If the file cannot be locked or written to.
pub fn bill(path: &Path) -> anyhow::Result<()> {
    let mut ledger = open(path)?;
    for n in 1_u64.. {
        lock_as_process(&ledger, path)?;
        let written = ledger.seek(SeekFrom::Start(0)).and_then(|_| writeln!(ledger, "{n:>20}"));
        written.with_context(|| format!("cannot write to `{}`", path.display()))?;
        fcntl_lock(&ledger, FlockOperation::Unlock).with_context(|| format!("cannot unlock `{}`", path.display()))?;
        if n == 1 {
            part::tell(BEGUN)?;
        }
        part::pause(PAUSE);
    }
    Ok(())
}

/// Takes the POSIX lock of a file and keeps it.
///
/// # Errors
/// If it cannot be locked.
pub fn reconcile(path: &Path) -> anyhow::Result<()> {
    let ledger = open(path)?;
    lock_as_process(&ledger, path)?;
    part::tell(BEGUN)?;
    part::hang()
}

fn open(path: &Path) -> anyhow::Result<File> {
    part::open(File::options().read(true).append(true), path)
}

fn lock(file: &File, path: &Path) -> anyhow::Result<()> {
    let locked = retry_on_intr(|| flock(file, FlockOperation::LockExclusive));
    locked.with_context(|| format!("cannot lock `{}`", path.display()))
}

fn lock_as_process(file: &File, path: &Path) -> anyhow::Result<()> {
    let locked = retry_on_intr(|| fcntl_lock(file, FlockOperation::LockExclusive));
    locked.with_context(|| format!("cannot lock `{}`", path.display()))
}
