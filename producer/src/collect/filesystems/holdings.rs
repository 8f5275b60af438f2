//! Who has files open on which filesystem.

use std::collections::{BTreeMap, BTreeSet};

use hostread::{Seen, mounts::LocalMounts};

use crate::collect::{
    files::{FileKey, FileTable},
    process::Process,
};

/// A file that has grown since the sweep before.
#[derive(Debug)]
struct Grown {
    home: (u32, u32),
    bytes: u64,
    // Those that have it open for writing and have run since, and whether each can have written it by calls.
    by: BTreeMap<usize, bool>,
}

/// The open files of all processes, by filesystem. Filesystems are told by the device in the list of mounts.
#[derive(Debug, Default)]
pub struct Holdings {
    // By the device that `stat` tells of a file; none is known of what is mounted elsewhere.
    homes: BTreeMap<(u32, u32), Option<(u32, u32)>>,
    writers: BTreeMap<(u32, u32), BTreeSet<usize>>,
    // The files that have grown, with the filesystem, the bytes, and who can have written them.
    grown: BTreeMap<FileKey, Grown>,
}

impl Holdings {
    /// The holdings of these processes on these filesystems.
    pub fn of(processes: &[Process], files: &FileTable, mounts: &LocalMounts) -> Holdings {
        let mut holdings = Holdings::default();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for (_, key, writes) in handles.files() {
                let Some(file) = files.get(&key).filter(|file| file.regular) else { continue };
                let home = holdings.homes.entry(key.device).or_insert_with(|| mounts.home(key.device, file.mount));
                if let Some(home) = home.filter(|_| writes) {
                    holdings.writers.entry(home).or_default().insert(at);
                    let bytes = file.grown();
                    if bytes > 0 && !process.rested {
                        let grown = holdings.grown.entry(key).or_insert(Grown { home, bytes, by: BTreeMap::new() });
                        grown.by.insert(at, process.can_have_written());
                    }
                }
            }
        }
        holdings
    }

    /// The filesystem that a file is on.
    pub fn home(&self, file: &FileKey) -> Option<(u32, u32)> {
        self.homes.get(&file.device).copied().flatten()
    }

    /// The filesystems that any of the files are on.
    pub fn held(&self) -> BTreeSet<(u32, u32)> {
        self.homes.values().flatten().copied().collect()
    }

    /// The devices of files on no filesystem that is known.
    pub fn homeless(&self) -> BTreeSet<(u32, u32)> {
        self.homes.iter().filter(|(_, home)| home.is_none()).map(|(device, _)| *device).collect()
    }

    /// The processes that have a file on the filesystem open for writing.
    pub fn writers(&self, device: (u32, u32)) -> impl Iterator<Item = usize> {
        self.writers.get(&device).into_iter().flatten().copied()
    }

    /// By how many bytes files have grown since the sweep before: each process that can have written them, the filesystem, and the bytes.
    /// What of it is whose is not known if there are several. Who wrote by calls comes before those who only can have, by a mapping for instance.
    pub fn grown(&self) -> impl Iterator<Item = (usize, (u32, u32), u64)> {
        self.grown.values().flat_map(|Grown { home, bytes, by }| {
            let any_wrote = by.values().any(|wrote| *wrote);
            by.iter().filter(move |(_, wrote)| **wrote || !any_wrote).map(|(process, _)| (*process, *home, *bytes))
        })
    }

    /// The processes that have any file open for writing.
    pub fn all_writers(&self) -> BTreeSet<usize> {
        self.writers.values().flatten().copied().collect()
    }

    /// The filesystems that a process writes to.
    pub fn written_by(&self, process: usize) -> impl Iterator<Item = (u32, u32)> {
        self.writers.iter().filter(move |(_, writers)| writers.contains(&process)).map(|(device, _)| *device)
    }
}
