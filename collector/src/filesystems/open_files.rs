//! Open files of all processes by filesystem.

use std::collections::{BTreeMap, BTreeSet};

use hostread::{Seen, mounts::LocalMounts};

use crate::{
    files::{FileKey, FileTable},
    process::Process,
};

/// File that has grown since the previous sweep.
#[derive(Debug)]
struct GrownFile {
    filesystem: (u32, u32),
    bytes: u64,
    // Processes that have it open for writing and have run since the previous sweep; true if their
    // write counters have grown.
    by: BTreeMap<usize, bool>,
}

/// Open files of all processes by filesystem. A filesystem is identified by the device in the list
/// of mounts.
#[derive(Debug, Default)]
pub struct OpenFiles {
    // Filesystem by the device that `stat` reports for a file; `None` if it is not mounted here.
    filesystems: BTreeMap<(u32, u32), Option<(u32, u32)>>,
    writers: BTreeMap<(u32, u32), BTreeSet<usize>>,
    // Files that have grown, with the processes that may have written them.
    grown: BTreeMap<FileKey, GrownFile>,
}

impl OpenFiles {
    /// Groups the open files of `processes` by filesystem.
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

    /// Returns the filesystem that a file is on.
    pub fn filesystem(&self, file: &FileKey) -> Option<(u32, u32)> {
        self.filesystems.get(&file.device).copied().flatten()
    }

    /// Returns all filesystems with an open file.
    pub fn filesystems_in_use(&self) -> BTreeSet<(u32, u32)> {
        self.filesystems.values().flatten().copied().collect()
    }

    /// Returns the devices of files that are on no known filesystem.
    pub fn unmounted(&self) -> BTreeSet<(u32, u32)> {
        self.filesystems.iter().filter(|(_, filesystem)| filesystem.is_none()).map(|(device, _)| *device).collect()
    }

    /// Returns the processes that have a file on the filesystem open for writing.
    pub fn writers(&self, device: (u32, u32)) -> impl Iterator<Item = usize> {
        self.writers.get(&device).into_iter().flatten().copied()
    }

    /// Returns the growth of files since the previous sweep: process, filesystem and bytes.
    ///
    /// If several processes have a file open, the growth counts for each of those that wrote
    /// according to the kernel's counters of their calls. If none did, as with mappings or
    /// `fallocate`, it counts for all that have run.
    pub fn grown(&self) -> impl Iterator<Item = (usize, (u32, u32), u64)> {
        self.grown.values().flat_map(|GrownFile { filesystem, bytes, by }| {
            let any_wrote = by.values().any(|has_written| *has_written);
            by.iter()
                .filter(move |(_, has_written)| **has_written || !any_wrote)
                .map(|(process, _)| (*process, *filesystem, *bytes))
        })
    }

    /// Returns the processes that have any file open for writing.
    pub fn all_writers(&self) -> BTreeSet<usize> {
        self.writers.values().flatten().copied().collect()
    }

    /// Returns the filesystems that a process has files open for writing on.
    pub fn written_by(&self, process: usize) -> impl Iterator<Item = (u32, u32)> {
        self.writers.iter().filter(move |(_, writers)| writers.contains(&process)).map(|(device, _)| *device)
    }
}
