//! The open files of processes, each file once, by device and inode.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Mode};

use crate::{
    parse,
    read::{Directory, Seen},
};

/// A file's device numbers and inode, as `stat` tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Inode number on it.
    pub inode: u64,
}

/// A file that at least one process has open.
#[derive(Clone, Debug)]
pub struct File {
    /// As one of its openers sees it; a deleted file keeps the path that it had.
    pub path: String,
    /// Whether it has contents of its own; a directory has not.
    pub regular: bool,
    /// The number of the mount by which its opener reached it, if the kernel tells it.
    pub mount: Option<u64>,
    // The number of the sweep that saw it last.
    seen: u64,
}

/// What a file descriptor stands for, as far as anybody else can be behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A file or directory.
    File {
        /// Which.
        file: FileKey,
        /// Whether it is open for writing.
        writes: bool,
    },
    /// An end of a pipe, or both, or of a named one.
    Pipe {
        /// The inode; of a named pipe with its device.
        pipe: FileKey,
        /// Whether it is open for reading.
        reads: bool,
        /// Whether it is open for writing.
        writes: bool,
    },
    /// A socket, by inode.
    Socket(u64),
}

/// The open files of a process.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    /// All descriptors.
    pub count: usize,
    /// Those that stand for something others can have too, with their numbers.
    pub open: Vec<(u32, Handle)>,
    /// Whether their numbers may be read but not what they stand for.
    pub denied: bool,
}

impl Handles {
    /// The descriptors that are sockets, by inode.
    pub fn sockets(&self) -> impl Iterator<Item = u64> {
        self.open.iter().filter_map(|(_, handle)| match handle {
            Handle::Socket(inode) => Some(*inode),
            _ => None,
        })
    }

    /// The descriptors that are files: their numbers, which file, and whether it is open for writing.
    pub fn files(&self) -> impl Iterator<Item = (u32, FileKey, bool)> {
        self.open.iter().filter_map(|(fd, handle)| match handle {
            Handle::File { file, writes } => Some((*fd, *file, *writes)),
            _ => None,
        })
    }

    /// What descriptor `fd` stands for.
    pub fn handle(&self, fd: u32) -> Option<Handle> {
        self.open.iter().find_map(|(number, handle)| (*number == fd).then_some(*handle))
    }

    /// The file that descriptor `fd` stands for.
    pub fn file(&self, fd: u32) -> Option<FileKey> {
        match self.handle(fd)? {
            Handle::File { file, .. } => Some(file),
            _ => None,
        }
    }
}

/// Every file that the sweep came across.
#[derive(Debug, Default)]
pub struct FileTable {
    own_paths: Vec<PathBuf>,
    files: HashMap<FileKey, File>,
    sweep: u64,
}

impl FileTable {
    /// A table that leaves out what is at or below `own_paths`.
    pub fn new(own_paths: Vec<PathBuf>) -> FileTable {
        FileTable { own_paths, files: HashMap::new(), sweep: 0 }
    }

    /// To be called before each sweep: forgets what the last one did not come across.
    pub fn begin_sweep(&mut self) {
        let last = self.sweep;
        self.files.retain(|_, file| file.seen == last);
        self.sweep += 1;
    }

    /// Notes that files which an earlier sweep came across are still open.
    pub fn keep(&mut self, handles: &Handles) {
        for (_, file, _) in handles.files() {
            if let Some(known) = self.files.get_mut(&file) {
                known.seen = self.sweep;
            }
        }
    }

    /// What is known of a file.
    pub fn get(&self, file: &FileKey) -> Option<&File> {
        self.files.get(file)
    }

    /// Reads the open files of a process.
    pub fn handles(&mut self, process: &Directory, buffer: &mut Vec<u8>) -> Seen<Handles> {
        process.directory("fd").and_then(|fds| {
            fds.numbers().map(|numbers| {
                // With some rights, but not enough, the numbers can be read and none of the links.
                let is_denied = |fd: &u32| fds.link(&fd.to_string(), buffer) == Seen::Denied;
                let denied = numbers.first().is_some_and(is_denied);
                let readable = if denied { &[] } else { numbers.as_slice() };
                // A descriptor that was closed meanwhile is simply not there any more.
                let handle = |fd: &u32| Some((*fd, self.handle(&fds, *fd, buffer)?));
                let open = readable.iter().filter_map(handle).collect();
                Handles { count: numbers.len(), open, denied }
            })
        })
    }

    /// The inodes of a process's sockets.
    pub fn sockets(&mut self, process: &Directory, buffer: &mut Vec<u8>) -> Vec<u64> {
        let Seen::Here(fds) = process.directory("fd") else { return Vec::new() };
        let numbers = fds.numbers().here().unwrap_or_default();
        let link = |fd: &u32| parse::process::numbered(fds.link(&fd.to_string(), buffer).here()?, b"socket");
        numbers.iter().filter_map(link).collect()
    }

    fn handle(&mut self, fds: &Directory, fd: u32, buffer: &mut Vec<u8>) -> Option<Handle> {
        let name = fd.to_string();
        let link = fds.link(&name, buffer).here()?;
        if let Some(inode) = parse::process::numbered(link, b"socket") {
            return Some(Handle::Socket(inode));
        }
        if let Some(inode) = parse::process::numbered(link, b"pipe") {
            let mode = fds.link_mode(&name).here()?;
            let pipe = FileKey { device: (0, 0), inode };
            return Some(Handle::Pipe { pipe, reads: mode.contains(Mode::RUSR), writes: mode.contains(Mode::WUSR) });
        }
        if !is_shown(link) {
            return None;
        }
        let target = fds.target(&name).here()?;
        let mode = fds.link_mode(&name).here()?;
        let (reads, writes) = (mode.contains(Mode::RUSR), mode.contains(Mode::WUSR));
        let file = FileKey { device: target.device, inode: target.inode };
        match FileType::from_raw_mode(target.mode) {
            FileType::Fifo => Some(Handle::Pipe { pipe: file, reads, writes }),
            kind @ (FileType::RegularFile | FileType::Directory) => {
                let regular = kind == FileType::RegularFile;
                self.remember(file, link, regular, target.mount).then_some(Handle::File { file, writes })
            }
            _ => None,
        }
    }

    /// False if the file is of Local Detective's own data.
    fn remember(&mut self, file: FileKey, link: &[u8], regular: bool, mount: Option<u64>) -> bool {
        let sweep = self.sweep;
        if self.files.get(&file).is_some_and(|known| known.seen == sweep) {
            return true;
        }
        let path = parse::text(link.strip_suffix(b" (deleted)").unwrap_or(link));
        if self.own_paths.iter().any(|own| Path::new(&path).starts_with(own)) {
            return false;
        }
        self.files.insert(file, File { path, regular, mount, seen: sweep });
        true
    }
}

/// Devices, the kernel's own files and memory without a name are nobody's shared file.
fn is_shown(link: &[u8]) -> bool {
    const HIDDEN: [&[u8]; 4] = [b"/dev/", b"/proc/", b"/sys/", b"/memfd:"];
    link.starts_with(b"/") && (link.starts_with(b"/dev/shm/") || !HIDDEN.iter().any(|hidden| link.starts_with(hidden)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_shown_and_devices_are_not() {
        for (link, shown) in [
            ("/var/log/a", true),
            ("/dev/shm/a", true),
            ("/dev/null", false),
            ("/dev/pts/1", false),
            ("/memfd:a (deleted)", false),
            ("/proc/1/stat", false),
            ("anon_inode:[eventpoll]", false),
        ] {
            assert_eq!(is_shown(link.as_bytes()), shown, "{link}");
        }
    }
}
