//! One who keeps the lock of a log file that others append to.

use std::{fs::File, io::Write, path::Path, time::Duration};

use anyhow::Context;
use rustix::{
    fs::{FlockOperation, flock},
    io::retry_on_intr,
};

use super::{
    Cast,
    part::{self, BEGUN, Part},
};
use crate::cli::StartArgs;

const WRITERS: usize = 3;
/// Between two lines of a writer: many a second, and yet no load.
const PAUSE: Duration = Duration::from_millis(20);

/// Three who write, and one who will keep the lock.
pub fn cast(args: &StartArgs, file: &Path) -> Cast {
    let writer = || Part::LogWriter { file: file.to_owned() };
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Cast {
        victims: (0..WRITERS).map(|_| writer()).collect(),
        culprit: Part::LogRotator {
            file: file.to_owned(),
            after: milliseconds(args.after),
            hold: milliseconds(args.hold),
        },
        deed: format!("holds the lock of {}, for which {WRITERS} log-writer processes wait", file.display()),
    }
}

/// Appends lines, each under the lock, until the end of this process.
///
/// # Errors
/// If the file cannot be locked or written to.
pub fn write_lines(path: &Path) -> anyhow::Result<()> {
    let cannot_write = || format!("cannot append to `{}`", path.display());
    // Not created: it may have been removed already.
    let mut log = File::options().append(true).open(path).with_context(cannot_write)?;
    for n in 1_u64.. {
        change(&log, FlockOperation::LockExclusive, path)?;
        writeln!(log, "line {n} of {}", std::process::id()).with_context(cannot_write)?;
        change(&log, FlockOperation::Unlock, path)?;
        part::pause(PAUSE);
    }
    Ok(())
}

/// Takes the lock after a while and keeps it for another.
///
/// # Errors
/// If the file cannot be locked.
pub fn rotate(path: &Path, after: Duration, hold: Duration) -> anyhow::Result<()> {
    part::pause(after);
    let log = File::options().append(true).open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    change(&log, FlockOperation::LockExclusive, path)?;
    part::tell(BEGUN)?;
    part::pause(hold);
    change(&log, FlockOperation::Unlock, path)
}

fn change(file: &File, operation: FlockOperation, path: &Path) -> anyhow::Result<()> {
    retry_on_intr(|| flock(file, operation))
        .with_context(|| format!("cannot change the lock of `{}` ({operation:?})", path.display()))
}
