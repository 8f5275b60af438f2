//! Metadata of files and filesystems.

use rustix::fs::StatxTimestamp;
use schemas::Timestamp;

use crate::tape::TapeValue;

/// Metadata of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Major and minor number of the device that the file is on.
    pub device: (u32, u32),
    /// Inode number of the file on its device.
    pub inode: u64,
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Id of the mount through which the file was reached. `None` before Linux 5.8.
    pub mount_id: Option<u64>,
    /// Storage that the file occupies, in bytes.
    pub allocated_bytes: u64,
    /// When the file was created, if its filesystem stores that.
    pub created_at: Option<Timestamp>,
}

/// Size and free space of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesystemSpace {
    /// Size of a block, in bytes.
    pub block_size: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// Number of free blocks.
    pub free_blocks: u64,
    /// Number of free blocks that users other than root can allocate.
    pub available_blocks: u64,
    /// Number of inodes. 0 if they are not limited.
    pub inodes: u64,
    /// Number of free inodes.
    pub free_inodes: u64,
    /// Whether it cannot be written to through this mount.
    pub is_read_only: bool,
}

impl TapeValue for FileInfo {
    fn to_numbers(&self) -> Vec<i64> {
        let (major, minor) = self.device;
        let mount_id = self.mount_id.map_or(-1, u64::cast_signed);
        let created_at = self.created_at.map_or(i64::MIN, |created_at| created_at.0);
        let inode = self.inode.cast_signed();
        let allocated_bytes = self.allocated_bytes.cast_signed();
        vec![major.into(), minor.into(), inode, self.mode.into(), mount_id, allocated_bytes, created_at]
    }

    fn from_numbers(numbers: &[i64]) -> Option<FileInfo> {
        let [major, minor, inode, mode, mount_id, allocated_bytes, created_at] = numbers else { return None };
        Some(FileInfo {
            device: (u32::try_from(*major).ok()?, u32::try_from(*minor).ok()?),
            inode: inode.cast_unsigned(),
            mode: u32::try_from(*mode).ok()?,
            mount_id: u64::try_from(*mount_id).ok(),
            allocated_bytes: allocated_bytes.cast_unsigned(),
            created_at: (*created_at != i64::MIN).then_some(Timestamp(*created_at)),
        })
    }
}

impl TapeValue for FilesystemSpace {
    fn to_numbers(&self) -> Vec<i64> {
        let FilesystemSpace { block_size, blocks, free_blocks, available_blocks, inodes, free_inodes, is_read_only } =
            *self;
        [block_size, blocks, free_blocks, available_blocks, inodes, free_inodes, is_read_only.into()]
            .map(u64::cast_signed)
            .to_vec()
    }

    fn from_numbers(numbers: &[i64]) -> Option<FilesystemSpace> {
        let numbers = <[i64; 7]>::try_from(numbers).ok()?;
        let [block_size, blocks, free_blocks, available_blocks, inodes, free_inodes, read_only] =
            numbers.map(i64::cast_unsigned);
        let is_read_only = read_only != 0;
        Some(FilesystemSpace { block_size, blocks, free_blocks, available_blocks, inodes, free_inodes, is_read_only })
    }
}

/// Converts to a time of day in whole milliseconds.
pub(super) fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp(time.tv_sec.saturating_mul(1000).saturating_add(i64::from(time.tv_nsec / 1_000_000)))
}
