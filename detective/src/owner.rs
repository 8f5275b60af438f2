//! One detective to a data directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use service::Hint;

/// Holds the directory until it is dropped.
pub struct Owner {
    _lock: File,
}

/// Takes a data directory for this process. One that was ended by force a moment ago may still be on its way out, and is waited for.
///
/// # Errors
/// If another process has it, or the directory cannot be written to.
pub async fn take(directory: &Path) -> anyhow::Result<Owner> {
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(100);
    let path: PathBuf = directory.join("up.lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.with_context(|| format!("cannot write `{}`", path.display()))?;
    let taken = async {
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, taken).await.is_err() {
        return Err(anyhow::anyhow!("another `detective up` uses the data directory `{}`", directory.display()))
            .hint("end it, or choose another directory with `--data DIR`");
    }
    Ok(Owner { _lock: lock })
}
