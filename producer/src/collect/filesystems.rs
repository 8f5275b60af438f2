//! The filesystems of the host: how full they are, and whether they can be written to.

mod condition;
mod errors;
mod filling;
mod holdings;
mod stuck;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use hostread::{
    Directory, ProcRoot, Seen, Vantage,
    directory::FilesystemSpace,
    mounts::{self, LocalMounts},
    parse::{self, mounts::Mount},
};

use crate::collect::{
    coverage::Gaps,
    files::{FileKey, FileTable},
    measure::{Measure, Measured, Reason},
    process::Process,
};

use condition::Condition;
use holdings::Holdings;
pub use stuck::Stuck;

/// A filesystem that somebody writes to, or that cannot be written to.
#[derive(Clone, Debug)]
pub struct Filesystem {
    /// Major and minor number.
    pub device: (u32, u32),
    /// Where it is mounted.
    pub path: String,
    /// What was measured.
    pub figures: Vec<(Measure, Measured)>,
    /// Whether writers fail or wait, so that every file on it matters.
    pub is_full_or_frozen: bool,
    /// Processes with a file open for writing on it, by index in the sweep.
    pub writers: Vec<usize>,
    /// If it is nearly full: bytes that those processes have added to it of late that have added most, by index in the sweep.
    pub fillers: BTreeMap<usize, f64>,
    /// What says that it cannot be written to, and where that was read.
    pub proofs: Vec<(String, String)>,
}

/// The filesystems of one sweep.
#[derive(Debug, Default)]
pub struct Picture {
    /// Those that are shown.
    pub filesystems: Vec<Filesystem>,
    /// Tasks that wait for a frozen one.
    pub stuck: Vec<Stuck>,
    holdings: Holdings,
}

impl Picture {
    /// By how many bytes a process has filled filesystems that are nearly full.
    pub fn filled_by(&self, process: usize) -> f64 {
        self.filesystems.iter().filter_map(|filesystem| filesystem.fillers.get(&process)).sum()
    }

    /// The device of the filesystem that a file is on, if that is full or frozen.
    pub fn trouble_of(&self, file: &FileKey) -> Option<(u32, u32)> {
        let device = self.holdings.home(file)?;
        let is_in_trouble = |one: &Filesystem| one.device == device && one.is_full_or_frozen;
        self.filesystems.iter().any(is_in_trouble).then_some(device)
    }
}

/// What a look at the filesystems needs.
pub struct Scene<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// Where this process is.
    pub vantage: &'s Vantage,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// Their open files.
    pub files: &'s FileTable,
    /// When the sweep began.
    pub at: Instant,
}

/// What is remembered from sweep to sweep: the mounts, which change rarely, and the waits.
#[derive(Debug, Default)]
pub struct Memory {
    mounts: LocalMounts,
    // Devices of open files that were on no filesystem when the mounts were read.
    homeless: BTreeSet<(u32, u32)>,
    // Filesystems that could be written to in a sweep before.
    writable: BTreeSet<(u32, u32)>,
    sweeps_until_read: u32,
    errors: errors::Memory,
    stuck: stuck::Memory,
    filling: filling::Memory,
}

/// Sweeps from one look at the mounts to the next, if nothing says that they changed.
const SWEEPS_PER_READ: u32 = 10;

impl Memory {
    /// Looks at the filesystems.
    pub fn look(&mut self, scene: &Scene<'_>, gaps: &mut Gaps, buffer: &mut Vec<u8>) -> Picture {
        let holdings = self.holdings(scene, gaps, buffer);
        let found = self.stuck(scene, &holdings, gaps, buffer);
        let mut fillers = self.filling.look(scene.processes, &holdings, scene.at);
        let top = scene.vantage.top(scene.root);
        gaps.add_seen("filesystems", &top);
        let mountinfo = scene.root.path.join(scene.vantage.mountinfo()).display().to_string();
        let mut filesystems = Vec::new();
        for (device, mount) in asked(&self.mounts.local, &holdings) {
            let space = space(&top, mount);
            if let Seen::Here(top) = &top {
                gaps.add_seen("filesystem", &space);
                self.errors.look(top, mount, buffer);
            }
            let given_up = self.errors.proof(*device);
            let was_writable = self.writable.contains(device);
            let stuck = found.at(*device);
            let condition = Condition { mount, space, was_writable, given_up: given_up.as_ref(), stuck };
            if let Seen::Here(space) = space {
                // The list of mounts is older than what the filesystem says itself.
                let is_new = space.read_only && mount.writable && !mount.read_only;
                self.sweeps_until_read = if is_new { 0 } else { self.sweeps_until_read };
                self.writable.extend((!space.read_only).then_some(*device));
            }
            let writers: Vec<usize> = holdings.writers(*device).collect();
            let fillers = fillers.remove(device).filter(|_| condition.is_nearly_full()).unwrap_or_default();
            if !writers.is_empty() || condition.is_in_trouble() {
                filesystems.push(condition.filesystem(writers, fillers, &mountinfo));
            }
        }
        Picture { filesystems, stuck: found.stuck, holdings }
    }

    /// The tasks that wait for a frozen filesystem.
    fn stuck(&mut self, scene: &Scene<'_>, holdings: &Holdings, gaps: &mut Gaps, buffer: &mut Vec<u8>) -> stuck::Found {
        let top = self.mounts.local.values().find(|mount| mount.path == "/").map(|mount| mount.device);
        let scene = stuck::Scene { root: scene.root, processes: scene.processes, holdings, top };
        let found = self.stuck.look(&scene, buffer);
        gaps.add("frozen-filesystem", Reason::Unsupported, found.unplaced);
        gaps.add("frozen-filesystem", Reason::Denied, usize::from(found.denied));
        found
    }

    /// Devices that are mounted.
    pub fn devices(&self) -> BTreeSet<(u32, u32)> {
        self.mounts.local.keys().copied().collect()
    }

    /// Who holds files where. The mounts are read anew when it is time, or a file is on none of them.
    fn holdings(&mut self, scene: &Scene<'_>, gaps: &mut Gaps, buffer: &mut Vec<u8>) -> Holdings {
        let is_time = self.sweeps_until_read == 0;
        if is_time {
            self.read(scene, gaps, buffer);
        }
        self.sweeps_until_read = self.sweeps_until_read.saturating_sub(1);
        let mut holdings = Holdings::of(scene.processes, scene.files, &self.mounts);
        if !is_time && !holdings.homeless().is_subset(&self.homeless) {
            self.read(scene, gaps, buffer);
            holdings = Holdings::of(scene.processes, scene.files, &self.mounts);
        }
        self.homeless = holdings.homeless();
        gaps.add("filesystems-elsewhere", Reason::Unsupported, self.homeless.len());
        holdings
    }

    fn read(&mut self, scene: &Scene<'_>, gaps: &mut Gaps, buffer: &mut Vec<u8>) {
        let text = scene.root.directory.read(&scene.vantage.mountinfo(), buffer);
        gaps.add_seen("filesystems", &text);
        // What is refused is asked for again, so that every sweep says so.
        self.sweeps_until_read = if matches!(text, Seen::Here(_)) { SWEEPS_PER_READ } else { 0 };
        self.mounts = LocalMounts::of(parse::mounts::parse(text.here().unwrap_or_default()));
        self.writable.retain(|device| self.mounts.local.contains_key(device));
        self.errors.retain(|device| self.mounts.local.contains_key(device));
    }
}

/// A disk fills up whoever writes to it; what is in memory matters to those who have it open.
fn asked<'m>(
    mounts: &'m BTreeMap<(u32, u32), Mount>,
    holdings: &Holdings,
) -> impl Iterator<Item = (&'m (u32, u32), &'m Mount)> {
    let held = holdings.held();
    mounts.iter().filter(move |(device, _)| device.0 != 0 || held.contains(device))
}

fn space(top: &Seen<Directory>, mount: &Mount) -> Seen<FilesystemSpace> {
    let below = mount.path.trim_start_matches('/');
    let below = if below.is_empty() { "." } else { below };
    top.as_ref().and_then(|top| top.space(below, mounts::device_of_top(mount)))
}
