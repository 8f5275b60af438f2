//! Open files of one process.

use hostread::directory::FileInfo;

/// Device numbers and inode of a file, as `stat` reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Inode number on the device.
    pub inode: u64,
}

impl From<&FileInfo> for FileKey {
    fn from(file: &FileInfo) -> FileKey {
        FileKey { device: file.device, inode: file.inode }
    }
}

/// Target of a file descriptor, if another process can be at its other end or share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A file or directory.
    File {
        /// Identity of the file.
        file: FileKey,
        /// Whether it is open for writing.
        writes: bool,
    },
    /// One or both ends of a pipe or named pipe.
    Pipe {
        /// Inode of the pipe. A named pipe has the device of its filesystem.
        pipe: FileKey,
        /// Whether it is open for reading.
        reads: bool,
        /// Whether it is open for writing.
        writes: bool,
    },
    /// Inode of a socket.
    Socket(u64),
}

/// Open files of a process.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    /// Number of all descriptors.
    pub total: usize,
    /// Numbers of the descriptors that were read, or of all if `denied`, in ascending order.
    pub numbers: Vec<u32>,
    /// Descriptors whose target is a file, pipe or socket, with their numbers, which are in
    /// ascending order.
    pub open: Vec<(u32, Handle)>,
    /// Whether the numbers are readable but the targets are not.
    pub denied: bool,
}

impl Handles {
    /// Returns the number of descriptors that were not read because the process has too many.
    pub fn left_out(&self) -> usize {
        if self.denied { 0 } else { self.total.saturating_sub(self.numbers.len()) }
    }

    /// Returns the inodes of all sockets.
    pub fn sockets(&self) -> impl Iterator<Item = u64> {
        self.open.iter().filter_map(|(_, handle)| match handle {
            Handle::Socket(inode) => Some(*inode),
            _ => None,
        })
    }

    /// Returns all files: descriptor number, identity, and whether it is open for writing.
    pub fn files(&self) -> impl Iterator<Item = (u32, FileKey, bool)> {
        self.open.iter().filter_map(|(fd, handle)| match handle {
            Handle::File { file, writes } => Some((*fd, *file, *writes)),
            _ => None,
        })
    }

    /// Returns whether descriptor `fd` may exist and was not read.
    pub fn may_have_left_out(&self, fd: u32) -> bool {
        self.left_out() > 0 && self.numbers.binary_search(&fd).is_err() && self.handle(fd).is_none()
    }

    /// Returns the target of descriptor `fd`.
    pub fn handle(&self, fd: u32) -> Option<Handle> {
        let at = self.open.binary_search_by_key(&fd, |(number, _)| *number).ok()?;
        self.open.get(at).map(|(_, handle)| *handle)
    }

    /// Adds a descriptor.
    pub(super) fn insert(&mut self, fd: u32, handle: Handle) {
        if let Err(at) = self.open.binary_search_by_key(&fd, |(number, _)| *number) {
            self.open.insert(at, (fd, handle));
        }
    }

    /// Puts the descriptors in ascending order.
    pub(super) fn sorted(mut self) -> Handles {
        self.numbers.sort_unstable();
        self.open.sort_unstable_by_key(|(fd, _)| *fd);
        self
    }

    /// Returns the file that descriptor `fd` refers to.
    pub fn file(&self, fd: u32) -> Option<FileKey> {
        match self.handle(fd)? {
            Handle::File { file, .. } => Some(file),
            _ => None,
        }
    }
}
