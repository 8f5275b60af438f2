//! Those who write: a little, too often, and too much.

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

use crate::part::{self, BEGUN};

const REGIONS: u64 = 4;
const REGION_BYTES: u64 = 32 << 20;
/// So much is written as fast as the disk takes it, and then so much a second at most: a disk is not to be worn out.
const AT_ONCE: u64 = 40_000_000_000;
const MOST_A_SECOND: u64 = 200_000_000;

/// Writes a little and has it on the disk, twenty times a second.
///
/// # Errors
/// If the file cannot be written.
pub fn write_journal(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut file, cannot_write) = open(path)?;
    part::tell(BEGUN)?;
    loop {
        file.seek(SeekFrom::Start(0)).with_context(&cannot_write)?;
        file.write_all(&[b'j'; 4096]).and_then(|()| file.sync_data()).with_context(&cannot_write)?;
        part::pause(PAUSE);
    }
}

/// Writes a file on several threads and has it on the disk, over and over, but not faster than it may.
///
/// # Errors
/// If the file cannot be written.
pub fn write_and_sync(path: &Path) -> anyhow::Result<()> {
    let (file, cannot_write) = open(path)?;
    part::tell(BEGUN)?;
    let (begun, written) = (Instant::now(), AtomicU64::new(0));
    let write = |n: u64| -> io::Result<()> {
        loop {
            write_region(&file, n * REGION_BYTES)?;
            let written = written.fetch_add(REGION_BYTES, Ordering::Relaxed) + REGION_BYTES;
            part::pause(ahead(written, begun.elapsed()));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..REGIONS).map(|n| scope.spawn(move || write(n))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<io::Result<()>>()
    })
    .with_context(cannot_write)
}

/// How long to wait until no more was written than might be in that time.
fn ahead(written: u64, elapsed: Duration) -> Duration {
    Duration::from_millis(written.saturating_sub(AT_ONCE).saturating_mul(1000) / MOST_A_SECOND).saturating_sub(elapsed)
}

/// Writes a region anew and waits for the disk. Its old blocks are given back first: a journal that orders data before
/// what it says of new blocks then has everybody who commits wait for all of it.
fn write_region(file: &File, offset: u64) -> io::Result<()> {
    const BLOCK: usize = 1 << 20;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Where a filesystem cannot, the old blocks are written over.
    let _ = fallocate(file, punch, offset, REGION_BYTES);
    let block = vec![b'b'; BLOCK];
    for at in (offset..offset + REGION_BYTES).step_by(BLOCK) {
        file.write_all_at(&block, at)?;
    }
    file.sync_all()
}

/// Writes until there is no space, and takes what others free.
///
/// # Errors
/// If the file cannot be written for any other reason.
pub fn fill(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(20);
    /// Far more than the shop's spool has: should it be another filesystem after all, that one is not filled.
    const MOST_BYTES: usize = 256 << 20;
    let (mut file, cannot_write) = open(path)?;
    let blocks = [vec![b't'; 1 << 16], vec![b't'; 1 << 9]];
    let (mut bytes, mut has_begun) = (0, false);
    loop {
        for block in &blocks {
            while bytes < MOST_BYTES
                && let Some(written) = not_if_full(file.write(block)).with_context(&cannot_write)?
            {
                bytes += written;
            }
        }
        if !has_begun {
            part::tell(BEGUN)?;
            has_begun = true;
        }
        part::pause(PAUSE);
    }
}

fn not_if_full(written: io::Result<usize>) -> io::Result<Option<usize>> {
    match written {
        Err(error) if error.kind() == ErrorKind::StorageFull => Ok(None),
        written => written.map(Some),
    }
}

fn open(path: &Path) -> anyhow::Result<(File, impl Fn() -> String)> {
    let cannot_write = move || format!("cannot write to `{}`", path.display());
    Ok((part::open(File::options().write(true), path)?, cannot_write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ahead_of_what_may_be_written_waits() {
        let second = Duration::from_secs(1);
        assert_eq!(ahead(AT_ONCE + MOST_A_SECOND * 3, second), 2 * second);
        assert_eq!(ahead(AT_ONCE + MOST_A_SECOND, second), Duration::ZERO);
        assert_eq!(ahead(AT_ONCE, Duration::ZERO), Duration::ZERO);
    }
}
