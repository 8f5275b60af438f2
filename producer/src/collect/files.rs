//! The open files of processes, each file once, by device and inode.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    time::Instant,
};

use hostread::{Directory, Seen, directory::FileInfo, parse};
use rustix::fs::{FileType, Mode};
use schemas::Timestamp;

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
    // Bytes of storage that it takes, and took in the sweep before; none if that is not known.
    allocated: u64,
    allocated_before: Option<u64>,
    // The numbers of the sweeps that saw it last, and that asked last what it takes: each asks once, so that whoever has written what it
    // has grown by is seen to have written when it is asked itself.
    seen: u64,
    asked: u64,
}

impl File {
    /// By how many bytes of storage it has grown since the sweep before, as far as that is known.
    pub fn grown(&self) -> u64 {
        self.allocated_before.map_or(0, |before| self.allocated.saturating_sub(before))
    }
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
    /// All descriptors, by number, as far as they are known.
    pub numbers: Vec<u32>,
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

/// When a sweep began, by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct SweepTime {
    /// The time of day.
    pub wall: Timestamp,
    /// A time that never goes back.
    pub monotonic: Instant,
}

impl SweepTime {
    /// Whether what was made at that time of day was made from `before` to now. If somebody set the clock meanwhile, that cannot be told.
    fn has_creation_since(&self, before: &SweepTime, made_at: Timestamp) -> bool {
        // Between the looks at the two clocks this process may have been held up.
        const LEEWAY_MS: f64 = 100.0;
        let steady_ms = self.monotonic.saturating_duration_since(before.monotonic).as_secs_f64() * 1000.0;
        let step_ms = self.wall.millis_since(before.wall) as f64 - steady_ms;
        step_ms.abs() <= LEEWAY_MS && (before.wall..=self.wall).contains(&made_at)
    }
}

/// Every file that the sweep came across.
#[derive(Debug, Default)]
pub struct FileTable {
    own_paths: Vec<PathBuf>,
    files: HashMap<FileKey, File>,
    // The device of all sockets that are no files; none before the first.
    sockets: Option<(u32, u32)>,
    sweep: u64,
    // When the sweep before began, and this one; none before the first.
    last: Option<SweepTime>,
    began: Option<SweepTime>,
}

impl FileTable {
    /// A table that leaves out what is at or below `own_paths`.
    pub fn new(own_paths: Vec<PathBuf>) -> FileTable {
        FileTable { own_paths, ..FileTable::default() }
    }

    /// To be called before each sweep, with the time: forgets what the last one did not come across.
    pub fn begin_sweep(&mut self, at: SweepTime) {
        let last = self.sweep;
        self.files.retain(|_, file| file.seen == last);
        self.files.values_mut().for_each(|file| file.allocated_before = Some(file.allocated));
        self.last = self.began.replace(at);
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

    /// Reads the open files of a process, of which an earlier look may have told the descriptors' numbers.
    pub fn handles(&mut self, process: &Directory, earlier: &[u32], buffer: &mut Vec<u8>) -> Seen<Handles> {
        process.open_dir("fd").and_then(|fds| {
            let mut handles = Handles::default();
            let expected = fds.size().here().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
            self.guess(&mut handles, &fds, expected, earlier, buffer);
            if expected > 0 && handles.numbers.len() == expected {
                return Seen::Here(handles);
            }
            fds.numeric_names().map(|numbers| {
                let guessed: HashSet<u32> = handles.numbers.iter().copied().collect();
                for fd in numbers.iter().copied().filter(|fd| !guessed.contains(fd)) {
                    if handles.denied {
                        break;
                    }
                    // One that was closed meanwhile is simply not there any more.
                    self.add(&mut handles, &fds, fd, buffer);
                }
                Handles { numbers, ..handles }
            })
        })
    }

    /// Adds the descriptors that there were before, or at a first look the first so many numbers: mostly that is all of them, and they
    /// need not be listed.
    fn guess(
        &mut self,
        handles: &mut Handles,
        fds: &Directory,
        expected: usize,
        earlier: &[u32],
        buffer: &mut Vec<u8>,
    ) {
        let first = 0..u32::try_from(expected).unwrap_or(0);
        let guesses = earlier.iter().copied().chain(first.filter(|_| earlier.is_empty()));
        for fd in guesses.take(expected) {
            if !self.add(handles, fds, fd, buffer) {
                break;
            }
        }
    }

    /// Adds a descriptor; false if there is none, or none that may be looked at.
    fn add(&mut self, handles: &mut Handles, fds: &Directory, fd: u32, buffer: &mut Vec<u8>) -> bool {
        match self.handle(fds, fd, buffer) {
            Seen::Here(handle) => handles.open.extend(handle.map(|handle| (fd, handle))),
            // With some rights, but not enough, the numbers can be read and nothing of what they stand for.
            Seen::Denied => handles.denied = true,
            _ => return false,
        }
        if !handles.denied {
            handles.numbers.push(fd);
        }
        !handles.denied
    }

    /// The inodes of a process's sockets.
    pub fn sockets(&mut self, process: &Directory, buffer: &mut Vec<u8>) -> Vec<u64> {
        let Seen::Here(fds) = process.open_dir("fd") else { return Vec::new() };
        let numbers = fds.numeric_names().here().unwrap_or_default();
        let link =
            |fd: &u32| parse::process::parse_link_number(fds.read_link(&fd.to_string(), buffer).here()?, b"socket");
        numbers.iter().filter_map(link).collect()
    }

    /// What a descriptor stands for. Its link is read only where nothing else tells, for that is the dearest question.
    fn handle(&mut self, fds: &Directory, fd: u32, buffer: &mut Vec<u8>) -> Seen<Option<Handle>> {
        let name = rustix::path::DecInt::new(fd);
        let name = name.as_str();
        let target = match fds.target_info(name) {
            // Some filesystems in user space show nobody else anything of theirs. That is of this file alone, if its link can be read.
            Seen::Denied if fds.read_link(name, buffer) != Seen::Denied => return Seen::Here(None),
            target => target,
        };
        target.and_then(|target| {
            let file = FileKey { device: target.device, inode: target.inode };
            match FileType::from_raw_mode(target.mode) {
                FileType::Socket if self.is_socket(file, fds, name, buffer) => {
                    Seen::Here(Some(Handle::Socket(file.inode)))
                }
                FileType::Fifo => fds.link_mode(name).map(|mode| {
                    let (reads, writes) = (mode.contains(Mode::RUSR), mode.contains(Mode::WUSR));
                    Some(Handle::Pipe { pipe: file, reads, writes })
                }),
                FileType::RegularFile if self.is_shown(file, &target, fds, name, buffer) => {
                    fds.link_mode(name).map(|mode| {
                        let writes = mode.contains(Mode::WUSR);
                        Some(Handle::File { file, writes })
                    })
                }
                FileType::Directory if self.is_shown(file, &target, fds, name, buffer) => {
                    Seen::Here(Some(Handle::File { file, writes: false }))
                }
                _ => Seen::Here(None),
            }
        })
    }

    /// Whether it is a socket in use, and not the name of one in a file system.
    fn is_socket(&mut self, file: FileKey, fds: &Directory, name: &str, buffer: &mut Vec<u8>) -> bool {
        if self.sockets.is_none() {
            let link = fds.read_link(name, buffer).here();
            self.sockets =
                link.and_then(|link| parse::process::parse_link_number(link, b"socket")).map(|_| file.device);
        }
        self.sockets == Some(file.device)
    }

    /// False if the file is of the kernel's own or of Local Detective's data.
    fn is_shown(
        &mut self,
        file: FileKey,
        target: &FileInfo,
        fds: &Directory,
        name: &str,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let sweep = self.sweep;
        if let Some(known) = self.files.get_mut(&file).filter(|known| known.seen == sweep) {
            if known.asked != sweep {
                (known.allocated, known.asked) = (target.allocated_bytes, sweep);
            }
            return true;
        }
        let Some(link) = fds.read_link(name, buffer).here().filter(|link| is_shown(link)) else { return false };
        let path = parse::text(link.strip_suffix(b" (deleted)").unwrap_or(link));
        if self.own_paths.iter().any(|own| Path::new(&path).starts_with(own)) {
            return false;
        }
        let regular = FileType::from_raw_mode(target.mode) == FileType::RegularFile;
        let is_new = || match (self.last, self.began, target.created_at) {
            (Some(last), Some(began), Some(made_at)) => began.has_creation_since(&last, made_at),
            _ => false,
        };
        let allocated_before = match self.files.get(&file) {
            Some(known) => known.allocated_before,
            None => is_new().then_some(0),
        };
        let FileInfo { mount_id: mount, allocated_bytes: allocated, .. } = *target;
        self.files.insert(file, File { path, regular, mount, allocated, allocated_before, seen: sweep, asked: sweep });
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
    fn a_file_is_new_only_if_no_clock_was_set_since() {
        let start = Instant::now();
        let at = |wall, monotonic| SweepTime {
            wall: Timestamp(wall),
            monotonic: start + std::time::Duration::from_millis(monotonic),
        };
        let before = at(50_000, 0);
        for (now, made_at, is_new) in [
            (at(51_000, 1000), 50_500, true),
            (at(51_000, 1000), 49_999, false),
            (at(51_000, 1000), 51_001, false),
            (at(61_000, 1000), 50_500, false),
            (at(41_000, 1000), 50_500, false),
        ] {
            assert_eq!(now.has_creation_since(&before, Timestamp(made_at)), is_new, "{now:?} {made_at}");
        }
    }

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
