//! What the kernel tells of a file without reading it, and as it is written down on a tape.

use rustix::fs::StatxTimestamp;
use schemas::Timestamp;

use crate::tape::TapeValue;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Inode number on it.
    pub inode: u64,
    /// What it is, as in `st_mode`.
    pub mode: u32,
    /// The number of the mount that it was reached by; none from kernels before 5.8.
    pub mount_id: Option<u64>,
    /// Bytes of storage that it takes.
    pub allocated_bytes: u64,
    /// When it was made, as far as its filesystem keeps that.
    pub created_at: Option<Timestamp>,
}

/// How much of a filesystem is used. Blocks are counted in units of `block` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesystemSpace {
    /// Bytes of a block.
    pub block_size: u64,
    /// All blocks.
    pub blocks: u64,
    /// Those that are free.
    pub free_blocks: u64,
    /// Those of them that others than root can have.
    pub available_blocks: u64,
    /// All inodes; 0 where there is no limit to them.
    pub inodes: u64,
    /// Those that are free.
    pub free_inodes: u64,
    /// Whether it cannot be written to where it is mounted.
    pub is_read_only: bool,
}

impl TapeValue for FileInfo {
    fn to_numbers(&self) -> Vec<i64> {
        let (major, minor) = self.device;
        let mount = self.mount_id.map_or(-1, u64::cast_signed);
        let made_at = self.created_at.map_or(i64::MIN, |made_at| made_at.0);
        let (inode, allocated) = (self.inode.cast_signed(), self.allocated_bytes.cast_signed());
        vec![major.into(), minor.into(), inode, self.mode.into(), mount, allocated, made_at]
    }

    fn from_numbers(numbers: &[i64]) -> Option<FileInfo> {
        let [major, minor, inode, mode, mount, allocated, made_at] = numbers else { return None };
        let device = (u32::try_from(*major).ok()?, u32::try_from(*minor).ok()?);
        let mount = u64::try_from(*mount).ok();
        let (inode, allocated) = (inode.cast_unsigned(), allocated.cast_unsigned());
        let made_at = Some(Timestamp(*made_at)).filter(|made_at| made_at.0 != i64::MIN);
        Some(FileInfo {
            device,
            inode,
            mode: u32::try_from(*mode).ok()?,
            mount_id: mount,
            allocated_bytes: allocated,
            created_at: made_at,
        })
    }
}

impl TapeValue for FilesystemSpace {
    fn to_numbers(&self) -> Vec<i64> {
        let FilesystemSpace {
            block_size: block,
            blocks,
            free_blocks: free,
            available_blocks: available,
            inodes,
            free_inodes: inodes_free,
            is_read_only: read_only,
        } = *self;
        [block, blocks, free, available, inodes, inodes_free, read_only.into()].map(u64::cast_signed).to_vec()
    }

    fn from_numbers(numbers: &[i64]) -> Option<FilesystemSpace> {
        let numbers = <[i64; 7]>::try_from(numbers).ok()?;
        let [block, blocks, free, available, inodes, inodes_free, read_only] = numbers.map(i64::cast_unsigned);
        Some(FilesystemSpace {
            block_size: block,
            blocks,
            free_blocks: free,
            available_blocks: available,
            inodes,
            free_inodes: inodes_free,
            is_read_only: read_only != 0,
        })
    }
}

/// A time of day, in whole milliseconds.
pub(super) fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp(time.tv_sec.saturating_mul(1000).saturating_add(i64::from(time.tv_nsec / 1_000_000)))
}
