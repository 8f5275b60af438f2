//! The filesystems of the host: how full they are, and whether they can be written to.

mod errors;
mod filling;
mod open_files;
mod state;
mod thaw_waits;

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
use signals::Signal;

use crate::collect::{
    coverage::CoverageBuilder,
    files::{FileKey, FileTable},
    measure::{Measured, Reason},
    process::Process,
};

use open_files::OpenFiles;
use state::FilesystemState;
pub use thaw_waits::ThawWait;

/// A filesystem that somebody writes to, or that cannot be written to.
#[derive(Clone, Debug)]
pub struct Filesystem {
    /// Major and minor number.
    pub device: (u32, u32),
    /// Where it is mounted.
    pub path: String,
    /// What was measured.
    pub figures: Vec<(Signal, Measured)>,
    /// Whether writers fail or wait, so that every file on it matters.
    pub is_full_or_frozen: bool,
    /// Processes with a file open for writing on it, by index in the sweep.
    pub writers: Vec<usize>,
    /// If it is nearly full: bytes that those processes have added to it of late that have added most, by index in the sweep.
    pub fillers: BTreeMap<usize, f64>,
    /// What says that it cannot be written to, and where that was read.
    pub evidence: Vec<(String, String)>,
}

/// The filesystems of one sweep.
#[derive(Debug, Default)]
pub struct Filesystems {
    /// Those that are shown.
    pub filesystems: Vec<Filesystem>,
    /// Tasks that wait for a frozen one.
    pub thaw_waits: Vec<ThawWait>,
    open_files: OpenFiles,
}

impl Filesystems {
    /// By how many bytes a process has filled filesystems that are nearly full.
    pub fn filled_by(&self, process: usize) -> f64 {
        self.filesystems.iter().filter_map(|filesystem| filesystem.fillers.get(&process)).sum()
    }

    /// The device of the filesystem that a file is on, if that is full or frozen.
    pub fn full_or_frozen_device(&self, file: &FileKey) -> Option<(u32, u32)> {
        let device = self.open_files.filesystem(file)?;
        let is_abnormal = |one: &Filesystem| one.device == device && one.is_full_or_frozen;
        self.filesystems.iter().any(is_abnormal).then_some(device)
    }
}

/// What a look at the filesystems needs.
pub struct FilesystemInputs<'s> {
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
pub struct History {
    mounts: LocalMounts,
    // Devices of open files that were on no filesystem when the mounts were read.
    unmounted: BTreeSet<(u32, u32)>,
    // Filesystems that could be written to in a sweep before.
    writable: BTreeSet<(u32, u32)>,
    sweeps_until_reread: u32,
    errors: errors::History,
    thaw_waits: thaw_waits::History,
    filling: filling::History,
}

/// Sweeps from one look at the mounts to the next, if nothing says that they changed.
const MOUNTS_REREAD_SWEEPS: u32 = 10;

impl History {
    /// Looks at the filesystems.
    pub fn read(
        &mut self,
        inputs: &FilesystemInputs<'_>,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> Filesystems {
        let open_files = self.open_files(inputs, coverage, buffer);
        let found = self.thaw_waits(inputs, &open_files, coverage, buffer);
        let mut fillers = self.filling.update(inputs.processes, &open_files, inputs.at);
        let top = inputs.vantage.open_root(inputs.root);
        coverage.add_seen("filesystems", &top);
        let mountinfo = inputs.root.path.join(inputs.vantage.mountinfo_path()).display().to_string();
        let mut filesystems = Vec::new();
        for (device, mount) in relevant_mounts(&self.mounts.local, &open_files) {
            let space = space(&top, mount);
            if let Seen::Here(top) = &top {
                coverage.add_seen("filesystem", &space);
                self.errors.read(top, mount, buffer);
            }
            let error_evidence = self.errors.evidence(*device);
            let was_writable = self.writable.contains(device);
            let thaw_waits = found.count(*device);
            let state =
                FilesystemState { mount, space, was_writable, error_evidence: error_evidence.as_ref(), thaw_waits };
            if let Seen::Here(space) = space {
                // The list of mounts is older than what the filesystem says itself.
                let is_new = space.is_read_only && mount.is_writable && !mount.is_filesystem_read_only;
                self.sweeps_until_reread = if is_new { 0 } else { self.sweeps_until_reread };
                self.writable.extend((!space.is_read_only).then_some(*device));
            }
            let writers: Vec<usize> = open_files.writers(*device).collect();
            let fillers = fillers.remove(device).filter(|_| state.is_nearly_full()).unwrap_or_default();
            if !writers.is_empty() || state.is_abnormal() {
                filesystems.push(state.filesystem(writers, fillers, &mountinfo));
            }
        }
        Filesystems { filesystems, thaw_waits: found.waits, open_files }
    }

    /// The tasks that wait for a frozen filesystem.
    fn thaw_waits(
        &mut self,
        inputs: &FilesystemInputs<'_>,
        open_files: &OpenFiles,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> thaw_waits::ThawWaits {
        let root_device = self.mounts.local.values().find(|mount| mount.path == "/").map(|mount| mount.device);
        let inputs = thaw_waits::Inputs { root: inputs.root, processes: inputs.processes, open_files, root_device };
        let found = self.thaw_waits.find(&inputs, buffer);
        coverage.add("frozen-filesystem", Reason::Unsupported, found.unassigned);
        coverage.add("frozen-filesystem", Reason::Denied, usize::from(found.denied));
        found
    }

    /// Devices that are mounted.
    pub fn devices(&self) -> BTreeSet<(u32, u32)> {
        self.mounts.local.keys().copied().collect()
    }

    /// Who holds files where. The mounts are read anew when it is time, or a file is on none of them.
    fn open_files(
        &mut self,
        inputs: &FilesystemInputs<'_>,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> OpenFiles {
        let is_time = self.sweeps_until_reread == 0;
        if is_time {
            self.read_mounts(inputs, coverage, buffer);
        }
        self.sweeps_until_reread = self.sweeps_until_reread.saturating_sub(1);
        let mut open_files = OpenFiles::new(inputs.processes, inputs.files, &self.mounts);
        if !is_time && !open_files.unmounted().is_subset(&self.unmounted) {
            self.read_mounts(inputs, coverage, buffer);
            open_files = OpenFiles::new(inputs.processes, inputs.files, &self.mounts);
        }
        self.unmounted = open_files.unmounted();
        coverage.add("filesystems-elsewhere", Reason::Unsupported, self.unmounted.len());
        open_files
    }

    fn read_mounts(&mut self, inputs: &FilesystemInputs<'_>, coverage: &mut CoverageBuilder, buffer: &mut Vec<u8>) {
        let text = inputs.root.directory.read(&inputs.vantage.mountinfo_path(), buffer);
        coverage.add_seen("filesystems", &text);
        // What is refused is asked for again, so that every sweep says so.
        self.sweeps_until_reread = if matches!(text, Seen::Here(_)) { MOUNTS_REREAD_SWEEPS } else { 0 };
        self.mounts = LocalMounts::from_mounts(parse::mounts::parse_mountinfo(text.here().unwrap_or_default()));
        self.writable.retain(|device| self.mounts.local.contains_key(device));
        self.errors.retain(|device| self.mounts.local.contains_key(device));
    }
}

/// A disk fills up whoever writes to it; what is in memory matters to those who have it open.
fn relevant_mounts<'m>(
    mounts: &'m BTreeMap<(u32, u32), Mount>,
    open_files: &OpenFiles,
) -> impl Iterator<Item = (&'m (u32, u32), &'m Mount)> {
    let held = open_files.filesystems_in_use();
    mounts.iter().filter(move |(device, _)| device.0 != 0 || held.contains(device))
}

fn space(top: &Seen<Directory>, mount: &Mount) -> Seen<FilesystemSpace> {
    let below = mount.path.trim_start_matches('/');
    let below = if below.is_empty() { "." } else { below };
    top.as_ref().and_then(|top| top.filesystem_space(below, mounts::mount_point_device(mount)))
}
