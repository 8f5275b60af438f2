//! One detective to a data directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use service::Hint;

/// Holds the directory until it is dropped.
pub struct Owner {
    _lock: File,
}

/// Takes a data directory for this process.
///
/// # Errors
/// If another process has it, or the directory cannot be written to.
pub fn take(directory: &Path) -> anyhow::Result<Owner> {
    let path: PathBuf = directory.join("up.lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Owner { _lock: lock }),
        Err(_) => Err(anyhow::anyhow!("another `detective up` uses the data directory `{}`", directory.display()))
            .hint("end it, or choose another directory with `--data DIR`"),
    }
}
