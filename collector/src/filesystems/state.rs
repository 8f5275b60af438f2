//! State of one filesystem: full, read-only, frozen.

use std::collections::BTreeMap;

use hostread::{
    Seen,
    directory::FilesystemSpace,
    parse::{self, mounts::Mount},
};
use signals::Signal;

use super::Filesystem;
use crate::measure::{IntoMeasured, Measured, Reason};

/// State of a filesystem in one sweep.
#[derive(Clone, Copy, Debug)]
pub struct FilesystemState<'s> {
    /// Mount of the filesystem.
    pub mount: &'s Mount,
    /// Blocks and inodes.
    pub space: Seen<FilesystemSpace>,
    /// Whether it was writable in an earlier sweep.
    pub was_writable: bool,
    /// Source and text of the error count that shows that it no longer accepts writes, if the list
    /// of mounts does not show it.
    pub error_evidence: Option<&'s (String, String)>,
    /// Number of tasks that wait for it to thaw; `None` if the state of a possible waiter is
    /// unreadable.
    pub thaw_waits: Option<usize>,
}

/// Usage in percent from which a filesystem is nearly full, and full.
const NEARLY_FULL_PCT: f64 = 95.0;
const FULL_PCT: f64 = 99.9;

impl FilesystemState<'_> {
    /// Returns the filesystem to show. `mountinfo` is the path of the list of mounts.
    pub fn filesystem(&self, writers: Vec<usize>, fillers: BTreeMap<usize, f64>, mountinfo: &str) -> Filesystem {
        Filesystem {
            device: self.mount.device,
            path: self.path_text(),
            figures: self.figures(),
            is_full_or_frozen: self.is_full_or_frozen(),
            writers,
            fillers,
            evidence: self.evidence(mountinfo),
        }
    }

    fn path_text(&self) -> String {
        parse::path_text(&self.mount.path)
    }

    /// Returns whether to show it even if no process writes to it.
    pub fn is_abnormal(&self) -> bool {
        self.is_frozen() || self.has_become_read_only() || self.is_nearly_full()
    }

    /// Returns whether almost no space or inodes are left.
    pub fn is_nearly_full(&self) -> bool {
        self.is_filled(NEARLY_FULL_PCT)
    }

    /// Returns whether writes fail or block.
    fn is_full_or_frozen(&self) -> bool {
        self.is_frozen() || self.is_filled(FULL_PCT)
    }

    /// Returns whether it is read-only although its mount allows writes or it was writable earlier.
    fn has_become_read_only(&self) -> bool {
        const NEVER_WRITTEN: [&str; 5] = ["cramfs", "erofs", "iso9660", "romfs", "squashfs"];
        let is_wanted =
            (self.mount.is_writable || self.was_writable) && !NEVER_WRITTEN.contains(&self.mount.fs_type.as_str());
        is_wanted && self.is_read_only()
    }

    /// Returns the measured values.
    fn figures(&self) -> Vec<(Signal, Measured)> {
        let from_space = |figure: fn(&FilesystemSpace) -> Measured| self.space.as_ref().measured().and_then(figure);
        let thaw_waits = self.thaw_waits.ok_or(Reason::Denied);
        vec![
            (Signal::SpaceUsedPct, from_space(blocks_pct)),
            (Signal::InodesUsedPct, from_space(inodes_pct)),
            (Signal::SpaceFree, from_space(|space| Ok(space.available_blocks as f64 * space.block_size as f64))),
            (Signal::ReadOnly, from_space(|_| Ok(0.0)).map(|_| f64::from(u8::from(self.is_read_only())))),
            (Signal::WritesFrozen, thaw_waits.map(|thaw_waits| f64::from(u8::from(thaw_waits > 0)))),
            (Signal::FrozenWriters, thaw_waits.map(|thaw_waits| thaw_waits as f64)),
        ]
    }

    /// Returns the lines, with their source, that show that it is not writable. Waiting tasks have
    /// lines of their own.
    fn evidence(&self, mountinfo: &str) -> Vec<(String, String)> {
        let mut evidence = Vec::new();
        if self.has_become_read_only() {
            let from_mount = || (mountinfo.to_owned(), self.mount.line.clone());
            evidence.push(
                self.error_evidence
                    .filter(|_| !self.mount.is_filesystem_read_only())
                    .cloned()
                    .unwrap_or_else(from_mount),
            );
        }
        if let Seen::Here(space) = self.space
            && self.is_nearly_full()
        {
            let FilesystemSpace {
                block_size: block,
                blocks,
                available_blocks: available,
                inodes,
                free_inodes: inodes_free,
                ..
            } = space;
            let text = format!(
                "{available} of {blocks} blocks of {block} bytes available, {inodes_free} of {inodes} inodes free"
            );
            evidence.push((format!("statvfs {}", self.path_text()), text));
        }
        evidence
    }

    fn is_frozen(&self) -> bool {
        self.thaw_waits.is_some_and(|thaw_waits| thaw_waits > 0)
    }

    fn is_read_only(&self) -> bool {
        self.mount.is_filesystem_read_only()
            || self.error_evidence.is_some()
            || matches!(self.space, Seen::Here(space) if space.is_read_only)
    }

    /// Returns whether usage reaches `percent`. Read-only filesystems are often full by design and
    /// do not count.
    fn is_filled(&self, percent: f64) -> bool {
        let Seen::Here(space) = self.space else { return false };
        let reaches = |filled: Measured| filled.is_ok_and(|filled| filled >= percent);
        !self.is_read_only() && (reaches(blocks_pct(&space)) || reaches(inodes_pct(&space)))
    }
}

/// Returns the used share of the blocks that unprivileged users can use, as `df` computes it.
fn blocks_pct(space: &FilesystemSpace) -> Measured {
    let used = space.blocks.saturating_sub(space.free_blocks) as f64;
    percent(used, used + space.available_blocks as f64)
}

fn inodes_pct(space: &FilesystemSpace) -> Measured {
    percent(space.inodes.saturating_sub(space.free_inodes) as f64, space.inodes as f64)
}

/// Returns the percentage, or that it is unsupported if there is no limit.
fn percent(part: f64, whole: f64) -> Measured {
    if whole > 0.0 { Ok(part / whole * 100.0) } else { Err(Reason::Unsupported) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, mount: &str, filesystem: &str) -> Mount {
        let line = format!("2 1 8:1 / /data {mount} - {kind} /dev/sda1 {filesystem}\n");
        parse::mounts::parse_mountinfo(line.as_bytes()).next().unwrap()
    }

    fn space(available: u64, inodes_free: u64, read_only: bool) -> Seen<FilesystemSpace> {
        Seen::Here(FilesystemSpace {
            block_size: 512,
            blocks: 1200,
            free_blocks: available + 200,
            available_blocks: available,
            inodes: 50,
            free_inodes: inodes_free,
            is_read_only: read_only,
        })
    }

    fn state_of(mount: &Mount, space: Seen<FilesystemSpace>) -> FilesystemState<'_> {
        FilesystemState { mount, space, was_writable: false, error_evidence: None, thaw_waits: Some(0) }
    }

    #[test]
    fn blocks_reserved_for_root_do_not_count() {
        let mount = mount("ext4", "rw", "rw");
        let figures = state_of(&mount, space(250, 25, false)).figures();
        let expected = [Ok(75.0), Ok(50.0), Ok(128_000.0), Ok(0.0), Ok(0.0), Ok(0.0)];
        assert_eq!(figures.into_iter().map(|(_, figure)| figure).collect::<Vec<_>>(), expected);
        let unlimited = FilesystemSpace {
            block_size: 4096,
            blocks: 0,
            free_blocks: 0,
            available_blocks: 0,
            inodes: 0,
            free_inodes: 0,
            is_read_only: false,
        };
        let state = state_of(&mount, Seen::Here(unlimited));
        let missing = state.figures().into_iter().filter(|(_, figure)| *figure == Err(Reason::Unsupported)).count();
        assert_eq!((missing, state.is_abnormal()), (2, false));
    }

    #[test]
    fn a_filesystem_is_full_if_blocks_or_inodes_are_used_up() {
        let mount = mount("ext4", "rw", "rw");
        for (available, inodes_free, in_trouble, full) in
            [(100, 25, false, false), (50, 25, true, false), (0, 25, true, true), (500, 0, true, true)]
        {
            let state = state_of(&mount, space(available, inodes_free, false));
            assert_eq!((state.is_abnormal(), state.is_full_or_frozen()), (in_trouble, full), "{state:?}");
            assert_eq!(state.evidence("mountinfo").len(), usize::from(in_trouble));
        }
    }

    #[test]
    fn read_only_is_abnormal_only_where_writes_are_expected() {
        let on_purpose = mount("ext4", "ro", "ro");
        assert!(!state_of(&on_purpose, space(0, 0, true)).is_abnormal());
        let set_meanwhile = FilesystemState { was_writable: true, ..state_of(&on_purpose, space(500, 25, true)) };
        assert!(set_meanwhile.is_abnormal());
        let failed = mount("ext4", "rw", "rw,emergency_ro");
        let failed = state_of(&failed, space(500, 25, false));
        assert_eq!(failed.evidence("mountinfo"), [("mountinfo".to_owned(), failed.mount.line.clone())]);
        assert!(failed.figures().contains(&(Signal::ReadOnly, Ok(1.0))));
        let listed_as_before = mount("ext4", "rw", "rw");
        let counted = ("errors_count".to_owned(), "1".to_owned());
        let failed =
            FilesystemState { error_evidence: Some(&counted), ..state_of(&listed_as_before, space(500, 25, false)) };
        assert_eq!(failed.evidence("mountinfo"), std::slice::from_ref(&counted));
        assert!(failed.figures().contains(&(Signal::ReadOnly, Ok(1.0))));
        let image = mount("squashfs", "rw", "ro");
        assert!(!state_of(&image, space(0, 0, true)).is_abnormal());
    }

    #[test]
    fn an_unreadable_filesystem_has_missing_values_and_is_not_abnormal() {
        let mount = mount("ext4", "rw", "rw");
        let unseen = FilesystemState { thaw_waits: None, ..state_of(&mount, Seen::Denied) };
        assert!(unseen.figures().iter().all(|(_, figure)| *figure == Err(Reason::Denied)));
        assert!(!unseen.is_abnormal());
    }
}
