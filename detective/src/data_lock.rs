//! A lock of the data directory: one `detective up` at a time uses it.

use std::{fs::File, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use service::Hint;

/// How long to wait for a process that was just killed and is about to release the lock.
const TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The lock. It is released when dropped.
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks a data directory.
    ///
    /// # Errors
    /// If another process holds the lock, or the directory is not writable.
    pub async fn acquire(directory: &Path) -> anyhow::Result<DataLock> {
        let path = directory.join("up.lock");
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
        let acquired = async {
            while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        };
        if tokio::time::timeout(TIMEOUT, acquired).await.is_err() {
            return Err(anyhow::anyhow!("another `detective up` uses the data directory `{}`", directory.display()))
                .hint("stop it, or choose another directory with `--data DIR`");
        }
        Ok(DataLock { _file: file })
    }
}
