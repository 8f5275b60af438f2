//! The helpers of disk faults, which write to files.

use std::{
    fs::File,
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::fs::{FallocateFlags, fallocate};

use crate::helper;

const REGIONS: u64 = 4;
const REGION_BYTES: u64 = 32 << 20;
/// This much is written as fast as the disk allows, and more at a limited rate, so that the fault
/// does not wear out a disk.
const UNLIMITED_BYTES: u64 = 40_000_000_000;
const MAX_BYTES_PER_SECOND: u64 = 200_000_000;

/// Helper `journal`: writes a little and syncs it, twenty times a second.
///
/// # Errors
/// If the file cannot be written.
pub fn write_journal(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut file, cannot_write) = open(path)?;
    helper::report_ready()?;
    loop {
        file.seek(SeekFrom::Start(0)).with_context(&cannot_write)?;
        file.write_all(&[b'j'; 4096]).and_then(|()| file.sync_data()).with_context(&cannot_write)?;
        helper::pause(PAUSE);
    }
}

/// Helper `backup`: overwrites and syncs a file on several threads, within the rate limit.
///
/// # Errors
/// If the file cannot be written.
pub fn write_and_sync(path: &Path) -> anyhow::Result<()> {
    let (file, cannot_write) = open(path)?;
    helper::report_ready()?;
    let started = Instant::now();
    let written = AtomicU64::new(0);
    let write = |n: u64| -> io::Result<()> {
        loop {
            write_region(&file, n * REGION_BYTES)?;
            let written = written.fetch_add(REGION_BYTES, Ordering::Relaxed) + REGION_BYTES;
            helper::pause(rate_limit_delay(written, started.elapsed()));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..REGIONS).map(|n| scope.spawn(move || write(n))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<io::Result<()>>()
    })
    .with_context(cannot_write)
}

/// How long to wait until the bytes written so far are within the rate limit.
fn rate_limit_delay(written: u64, elapsed: Duration) -> Duration {
    let limited_bytes = written.saturating_sub(UNLIMITED_BYTES);
    Duration::from_millis(limited_bytes.saturating_mul(1000) / MAX_BYTES_PER_SECOND).saturating_sub(elapsed)
}

/// Overwrites a region and syncs it.
///
/// Frees its blocks first: a filesystem whose journal orders data before metadata (ext4) then makes
/// every process that syncs wait for the data of the new blocks.
fn write_region(file: &File, offset: u64) -> io::Result<()> {
    const BLOCK_BYTES: usize = 1 << 20;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // On a filesystem without hole punching, the old blocks are overwritten.
    let _ = fallocate(file, punch, offset, REGION_BYTES);
    let block = vec![b'b'; BLOCK_BYTES];
    for at in (offset..offset + REGION_BYTES).step_by(BLOCK_BYTES) {
        file.write_all_at(&block, at)?;
    }
    file.sync_all()
}

/// Helper `thumbnailer`: writes until the filesystem is full, and uses all space that is freed
/// later.
///
/// # Errors
/// If the file cannot be written for any other reason.
pub fn fill(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(20);
    /// Far more than a spool of a workload has. Any larger filesystem is not filled.
    const MAX_BYTES: usize = 256 << 20;
    let (mut file, cannot_write) = open(path)?;
    let blocks = [vec![b't'; 1 << 16], vec![b't'; 1 << 9]];
    let mut bytes = 0;
    let mut is_ready = false;
    loop {
        for block in &blocks {
            while bytes < MAX_BYTES
                && let Some(written) = none_if_full(file.write(block)).with_context(&cannot_write)?
            {
                bytes += written;
            }
        }
        if !is_ready {
            helper::report_ready()?;
            is_ready = true;
        }
        helper::pause(PAUSE);
    }
}

fn none_if_full(written: io::Result<usize>) -> io::Result<Option<usize>> {
    match written {
        Err(error) if error.kind() == ErrorKind::StorageFull => Ok(None),
        written => written.map(Some),
    }
}

fn open(path: &Path) -> anyhow::Result<(File, impl Fn() -> String)> {
    let cannot_write = move || format!("cannot write to `{}`", path.display());
    Ok((helper::open(File::options().write(true), path)?, cannot_write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_beyond_the_unlimited_amount_are_delayed() {
        let second = Duration::from_secs(1);
        assert_eq!(rate_limit_delay(UNLIMITED_BYTES + MAX_BYTES_PER_SECOND * 3, second), 2 * second);
        assert_eq!(rate_limit_delay(UNLIMITED_BYTES + MAX_BYTES_PER_SECOND, second), Duration::ZERO);
        assert_eq!(rate_limit_delay(UNLIMITED_BYTES, Duration::ZERO), Duration::ZERO);
    }
}
