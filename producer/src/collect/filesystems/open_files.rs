//! Who has files open on which filesystem.

use std::collections::{BTreeMap, BTreeSet};

use hostread::{Seen, mounts::LocalMounts};

use crate::collect::{
    files::{FileKey, FileTable},
    process::Process,
};

/// A file that has grown since the sweep before.
#[derive(Debug)]
struct GrownFile {
    filesystem: (u32, u32),
    bytes: u64,
    // Those that have it open for writing and have run since, and whether each can have written it by calls.
    by: BTreeMap<usize, bool>,
}

/// The open files of all processes, by filesystem. Filesystems are told by the device in the list of mounts.
#[derive(Debug, Default)]
pub struct OpenFiles {
    // By the device that `stat` tells of a file; none is known of what is mounted elsewhere.
    filesystems: BTreeMap<(u32, u32), Option<(u32, u32)>>,
    writers: BTreeMap<(u32, u32), BTreeSet<usize>>,
    // The files that have grown, with the filesystem, the bytes, and who can have written them.
    grown: BTreeMap<FileKey, GrownFile>,
}

impl OpenFiles {
    /// The holdings of these processes on these filesystems.
    pub fn new(processes: &[Process], files: &FileTable, mounts: &LocalMounts) -> OpenFiles {
        let mut open_files = OpenFiles::default();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for (_, key, writes) in handles.files() {
                let Some(file) = files.get(&key).filter(|file| file.regular) else { continue };
                let filesystem = open_files
                    .filesystems
                    .entry(key.device)
                    .or_insert_with(|| mounts.filesystem_of(key.device, file.mount));
                if let Some(filesystem) = filesystem.filter(|_| writes) {
                    open_files.writers.entry(filesystem).or_default().insert(at);
                    let bytes = file.grown();
                    if bytes > 0 && !process.is_idle {
                        let grown =
                            open_files.grown.entry(key).or_insert(GrownFile { filesystem, bytes, by: BTreeMap::new() });
                        grown.by.insert(at, process.may_have_written());
                    }
                }
            }
        }
        open_files
    }

    /// The filesystem that a file is on.
    pub fn filesystem(&self, file: &FileKey) -> Option<(u32, u32)> {
        self.filesystems.get(&file.device).copied().flatten()
    }

    /// The filesystems that any of the files are on.
    pub fn filesystems_in_use(&self) -> BTreeSet<(u32, u32)> {
        self.filesystems.values().flatten().copied().collect()
    }

    /// The devices of files on no filesystem that is known.
    pub fn unmounted(&self) -> BTreeSet<(u32, u32)> {
        self.filesystems.iter().filter(|(_, filesystem)| filesystem.is_none()).map(|(device, _)| *device).collect()
    }

    /// The processes that have a file on the filesystem open for writing.
    pub fn writers(&self, device: (u32, u32)) -> impl Iterator<Item = usize> {
        self.writers.get(&device).into_iter().flatten().copied()
    }

    /// By how many bytes files have grown since the sweep before: each process that can have written them, the filesystem, and the bytes.
    /// What of it is whose is not known if there are several. Who wrote by calls comes before those who only can have, by a mapping for instance.
    pub fn grown(&self) -> impl Iterator<Item = (usize, (u32, u32), u64)> {
        self.grown.values().flat_map(|GrownFile { filesystem, bytes, by }| {
            let any_wrote = by.values().any(|has_written| *has_written);
            by.iter()
                .filter(move |(_, has_written)| **has_written || !any_wrote)
                .map(|(process, _)| (*process, *filesystem, *bytes))
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
