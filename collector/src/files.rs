//! Open files of processes. Each file is read once per sweep, identified by device and inode.

mod handles;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Instant,
};

use hostread::{Directory, Seen, directory::FileInfo, parse};
use rustix::fs::{FileType, Mode};
use schemas::Timestamp;

use crate::descriptor_budget::DescriptorBudget;

pub use handles::{FileKey, Handle, Handles};

/// File that at least one process has open.
#[derive(Clone, Debug)]
pub struct File {
    /// Path that one of the processes opened it by, as text. A deleted file keeps its last path.
    pub path: String,
    /// Whether it is a regular file and not a directory.
    pub regular: bool,
    /// Id of the mount through which it was opened, if the kernel reports it.
    pub mount: Option<u64>,
    // Bytes of allocated storage now and in the previous sweep; `None` if unknown.
    allocated: u64,
    allocated_before: Option<u64>,
    // Number of the last sweep that saw the file open, and of the last sweep that read its
    // allocation. It is read once per sweep, so that the process that caused its growth is read
    // later and its written bytes are up to date.
    seen_sweep: u64,
    allocation_sweep: u64,
}

impl File {
    /// Returns the growth of allocated storage since the previous sweep in bytes; 0 if unknown.
    pub fn grown(&self) -> u64 {
        self.allocated_before.map_or(0, |before| self.allocated.saturating_sub(before))
    }
}

/// Start time of a sweep by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct SweepTime {
    /// Wall clock.
    pub wall: Timestamp,
    /// Monotonic clock.
    pub monotonic: Instant,
}

impl SweepTime {
    /// Returns whether `created_at` is between `before` and now. Returns false if the wall clock
    /// was set in between, because then the order is unknown.
    fn includes_creation(&self, before: &SweepTime, created_at: Timestamp) -> bool {
        // This process may be descheduled between reading the two clocks.
        const LEEWAY_MS: f64 = 100.0;
        let monotonic_ms = self.monotonic.saturating_duration_since(before.monotonic).as_secs_f64() * 1000.0;
        let step_ms = self.wall.millis_since(before.wall) as f64 - monotonic_ms;
        step_ms.abs() <= LEEWAY_MS && (before.wall..=self.wall).contains(&created_at)
    }
}

/// All files that a sweep found open, kept between sweeps.
#[derive(Debug)]
pub struct FileTable {
    own_paths: Vec<PathBuf>,
    budget: DescriptorBudget,
    files: HashMap<FileKey, File>,
    // Device of all sockets that are not bound to a path; `None` until the first is seen.
    sockets: Option<(u32, u32)>,
    sweep: u64,
    // Start of the previous sweep and of this one; `None` before the first.
    last: Option<SweepTime>,
    began: Option<SweepTime>,
}

impl FileTable {
    /// Returns an empty table that excludes files at or below `own_paths`.
    pub fn new(own_paths: Vec<PathBuf>, budget: DescriptorBudget) -> FileTable {
        FileTable { own_paths, budget, files: HashMap::new(), sockets: None, sweep: 0, last: None, began: None }
    }

    /// Begins a sweep: removes files that the previous sweep did not see. `counts` are the numbers
    /// of descriptors of the processes that the sweep will read, as far as known.
    pub fn begin_sweep(&mut self, at: SweepTime, counts: impl Iterator<Item = usize>) {
        self.budget.begin_sweep(counts);
        let last = self.sweep;
        self.files.retain(|_, file| file.seen_sweep == last);
        self.files.values_mut().for_each(|file| file.allocated_before = Some(file.allocated));
        self.last = self.began.replace(at);
        self.sweep += 1;
    }

    /// Marks the files of `handles`, which an earlier sweep read, as still open.
    pub fn keep(&mut self, handles: &Handles) {
        for (_, file, _) in handles.files() {
            if let Some(known) = self.files.get_mut(&file) {
                known.seen_sweep = self.sweep;
            }
        }
    }

    /// Returns a file that a sweep saw.
    pub fn get(&self, file: &FileKey) -> Option<&File> {
        self.files.get(file)
    }

    /// Reads the open files of a process, up to its share of the budget. `earlier` are the
    /// descriptor numbers of the previous sweep, if any.
    pub fn handles(&mut self, process: &Directory, earlier: &[u32], buffer: &mut Vec<u8>) -> Seen<Handles> {
        process.open_dir("fd").and_then(|fds| {
            let expected = fds.size().here().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
            let limit = self.budget.limit();
            let n_attempts = self.budget.n_attempts();
            let began = self.budget.is_measured(expected).then(|| fds.tape().thread_cpu_time());
            let handles = if expected > limit {
                Seen::Here(self.lowest_handles(&fds, expected, limit, buffer))
            } else {
                self.all_handles(&fds, expected, limit, earlier, buffer)
            };
            // The numbers alone are listed faster.
            if let (Some(began), Seen::Here(Handles { denied: false, .. })) = (began, &handles) {
                let elapsed = fds.tape().thread_cpu_time().saturating_sub(began);
                self.budget.add_measurement(self.budget.n_attempts() - n_attempts, elapsed);
            }
            handles.map(Handles::sorted)
        })
    }

    /// Reads all descriptors. `expected` is their number, 0 if unknown; then at most `limit` are
    /// read.
    fn all_handles(
        &mut self,
        fds: &Directory,
        expected: usize,
        limit: usize,
        earlier: &[u32],
        buffer: &mut Vec<u8>,
    ) -> Seen<Handles> {
        let mut handles = Handles { total: expected, ..Handles::default() };
        self.guess(&mut handles, fds, expected, earlier, buffer);
        if expected > 0 && handles.numbers.len() == expected {
            return Seen::Here(handles);
        }
        fds.numeric_names().map(|mut numbers| {
            handles.total = numbers.len();
            numbers.truncate(limit);
            let guessed: HashSet<u32> = handles.numbers.iter().copied().collect();
            for fd in numbers.iter().copied().filter(|fd| !guessed.contains(fd)) {
                if handles.denied {
                    break;
                }
                // A descriptor may be closed in the meantime.
                self.add(&mut handles, fds, fd, buffer);
            }
            Handles { numbers, ..handles }
        })
    }

    /// Reads the lowest descriptors, at most `limit`. To list all is too expensive, so unused
    /// numbers are skipped.
    fn lowest_handles(&mut self, fds: &Directory, total: usize, limit: usize, buffer: &mut Vec<u8>) -> Handles {
        let mut handles = Handles { total, ..Handles::default() };
        for fd in 0..u32::try_from(limit.saturating_mul(2)).unwrap_or(u32::MAX) {
            if handles.denied || handles.numbers.len() >= limit {
                break;
            }
            self.add(&mut handles, fds, fd, buffer);
        }
        handles
    }

    /// Adds a descriptor that was left out to the handles of a process, if it can be read.
    pub fn add_left_out(&mut self, handles: &mut Handles, process: &Directory, fd: u32, buffer: &mut Vec<u8>) {
        let handle = process.open_dir("fd").and_then(|fds| self.handle(&fds, fd, buffer));
        if let Some(handle) = handle.here().flatten() {
            handles.insert(fd, handle);
        }
    }

    /// Reads the `earlier` descriptors, or without them the lowest `expected` numbers. Usually
    /// these are all descriptors, which saves listing the directory.
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

    /// Adds a descriptor. Returns false if it does not exist or is unreadable.
    fn add(&mut self, handles: &mut Handles, fds: &Directory, fd: u32, buffer: &mut Vec<u8>) -> bool {
        self.budget.add_attempt();
        match self.handle(fds, fd, buffer) {
            Seen::Here(handle) => handles.open.extend(handle.map(|handle| (fd, handle))),
            // With partial rights, the numbers are readable and their targets are not.
            Seen::Denied => handles.denied = true,
            _ => return false,
        }
        if !handles.denied {
            handles.numbers.push(fd);
        }
        !handles.denied
    }

    /// Returns the inodes of the sockets of a process.
    pub fn sockets(&mut self, process: &Directory, buffer: &mut Vec<u8>) -> Vec<u64> {
        let Seen::Here(fds) = process.open_dir("fd") else { return Vec::new() };
        let numbers = fds.numeric_names().here().unwrap_or_default();
        let link =
            |fd: &u32| parse::process::parse_link_number(fds.read_link(&fd.to_string(), buffer).here()?, b"socket");
        numbers.iter().filter_map(link).collect()
    }

    /// Returns the target of a descriptor. The link is read only if nothing else identifies the
    /// target, because that is the most expensive read.
    fn handle(&mut self, fds: &Directory, fd: u32, buffer: &mut Vec<u8>) -> Seen<Option<Handle>> {
        let name = rustix::path::DecInt::new(fd);
        let name = name.as_str();
        let target = match fds.target_info(name) {
            // Some FUSE filesystems deny access to all other users. Only this file is unreadable if
            // its link can be read.
            Seen::Denied if fds.read_link(name, buffer) != Seen::Denied => return Seen::Here(None),
            target => target,
        };
        target.and_then(|target| {
            let file = FileKey::from(&target);
            match FileType::from_raw_mode(target.mode) {
                FileType::Socket if self.is_socket(file, fds, name, buffer) => {
                    Seen::Here(Some(Handle::Socket(file.inode)))
                }
                FileType::Fifo => fds.link_mode(name).map(|mode| {
                    let reads = mode.contains(Mode::RUSR);
                    let writes = mode.contains(Mode::WUSR);
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

    /// Returns whether it is a socket, and not the file that a socket is bound to.
    fn is_socket(&mut self, file: FileKey, fds: &Directory, name: &str, buffer: &mut Vec<u8>) -> bool {
        if self.sockets.is_none() {
            let link = fds.read_link(name, buffer).here();
            self.sockets =
                link.and_then(|link| parse::process::parse_link_number(link, b"socket")).map(|_| file.device);
        }
        self.sockets == Some(file.device)
    }

    /// Returns false for files of the kernel and of Local Detective.
    fn is_shown(
        &mut self,
        file: FileKey,
        target: &FileInfo,
        fds: &Directory,
        name: &str,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let sweep = self.sweep;
        if let Some(known) = self.files.get_mut(&file).filter(|known| known.seen_sweep == sweep) {
            if known.allocation_sweep != sweep {
                (known.allocated, known.allocation_sweep) = (target.allocated_bytes, sweep);
            }
            return true;
        }
        let Some(link) = fds.read_link(name, buffer).here().filter(|link| is_shown(link)) else { return false };
        let path = link.strip_suffix(b" (deleted)").unwrap_or(link);
        if self.own_paths.iter().any(|own| Path::new(OsStr::from_bytes(path)).starts_with(own)) {
            return false;
        }
        let path = parse::text(path);
        let regular = FileType::from_raw_mode(target.mode) == FileType::RegularFile;
        let is_new = || match (self.last, self.began, target.created_at) {
            (Some(last), Some(began), Some(made_at)) => began.includes_creation(&last, made_at),
            _ => false,
        };
        let allocated_before = match self.files.get(&file) {
            Some(known) => known.allocated_before,
            None => is_new().then_some(0),
        };
        let FileInfo { mount_id: mount, allocated_bytes: allocated, .. } = *target;
        self.files.insert(
            file,
            File { path, regular, mount, allocated, allocated_before, seen_sweep: sweep, allocation_sweep: sweep },
        );
        true
    }
}

/// Returns whether a file can be shared between processes: not a device, a file of the kernel or
/// anonymous memory.
fn is_shown(link: &[u8]) -> bool {
    const HIDDEN: [&[u8]; 4] = [b"/dev/", b"/proc/", b"/sys/", b"/memfd:"];
    link.starts_with(b"/") && (link.starts_with(b"/dev/shm/") || !HIDDEN.iter().any(|hidden| link.starts_with(hidden)))
}

#[cfg(test)]
mod tests {
    use hostread::Tape;

    use super::*;
    use crate::SweepConfig;

    #[test]
    fn unused_numbers_of_descriptors_use_up_the_budget_too() {
        let folder = tempfile::tempdir().unwrap();
        for fd in [0, 3, 199, 200, 100_000] {
            std::fs::write(folder.path().join(fd.to_string()), "").unwrap();
        }
        let fds = Directory::open(folder.path(), &Tape::default()).here().unwrap();
        let mut table = FileTable::new(Vec::new(), DescriptorBudget::new(&SweepConfig::default()));
        let handles = table.lowest_handles(&fds, 1000, 100, &mut Vec::new());
        assert_eq!((handles.numbers.as_slice(), handles.left_out()), (&[0, 3, 199][..], 997));
        assert_eq!(table.budget.n_attempts(), 200);
    }

    #[test]
    fn a_file_is_new_only_if_the_clock_was_not_set() {
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
            assert_eq!(now.includes_creation(&before, Timestamp(made_at)), is_new, "{now:?} {made_at}");
        }
    }

    #[test]
    fn shared_memory_is_shown_and_devices_are_hidden() {
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
