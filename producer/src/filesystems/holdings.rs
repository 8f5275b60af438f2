//! Who has files open on which filesystem.

use std::collections::{BTreeMap, BTreeSet};

use super::mounted::has_many_devices;
use crate::{
    files::{FileKey, FileTable},
    parse::mounts::Mount,
    process::Process,
    read::Seen,
};

/// The open files of all processes, by filesystem. Filesystems are told by the device in the list of mounts.
#[derive(Debug, Default)]
pub struct Holdings {
    /// Those with any regular file open; of those that are not mounted here there is none.
    homes: BTreeMap<(u32, u32), Option<(u32, u32)>>,
    writers: BTreeMap<(u32, u32), BTreeSet<usize>>,
}

impl Holdings {
    /// The holdings of these processes on these filesystems.
    pub fn of(processes: &[Process], files: &FileTable, mounts: &BTreeMap<(u32, u32), Mount>) -> Holdings {
        let mut holdings = Holdings::default();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for (_, key, writes) in handles.files() {
                let Some(file) = files.get(&key).filter(|file| file.regular) else { continue };
                let home = holdings.homes.entry(key.device).or_insert_with(|| home(key.device, &file.path, mounts));
                if let Some(home) = home.filter(|_| writes) {
                    holdings.writers.entry(home).or_default().insert(at);
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

    /// The processes that have any file open for writing.
    pub fn all_writers(&self) -> BTreeSet<usize> {
        self.writers.values().flatten().copied().collect()
    }

    /// The filesystems that a process writes to.
    pub fn written_by(&self, process: usize) -> impl Iterator<Item = (u32, u32)> {
        self.writers.iter().filter(move |(_, writers)| writers.contains(&process)).map(|(device, _)| *device)
    }
}

/// The filesystem on that device, or of those with many devices the one that the path leads to.
fn home(device: (u32, u32), path: &str, mounts: &BTreeMap<(u32, u32), Mount>) -> Option<(u32, u32)> {
    if mounts.contains_key(&device) {
        return Some(device);
    }
    let leads_to = |mount: &&Mount| {
        let rest = path.strip_prefix(mount.path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let (0, _) = device else { return None };
    let nearest = mounts.values().filter(leads_to).max_by_key(|mount| mount.path.len())?;
    has_many_devices(nearest).then_some(nearest.device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn a_part_with_a_device_of_its_own_is_told_by_its_path() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:30 / /data rw - btrfs /dev/sdb rw\n";
        let mounts = parse::mounts::parse(text.as_bytes()).map(|mount| (mount.device, mount)).collect();
        assert_eq!(home((8, 1), "/data/x", &mounts), Some((8, 1)));
        assert_eq!(home((0, 41), "/data/home/x", &mounts), Some((0, 30)));
        // Another's temporary files at the same path: only of btrfs a foreign number is to be expected.
        assert_eq!(home((0, 41), "/datax/x", &mounts), None);
        assert_eq!(home((9, 9), "/data/x", &mounts), None);
    }
}
