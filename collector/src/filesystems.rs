//! Filesystems of the host: how full they are, and whether writes succeed.
//!
//! A filesystem is a node of kind `file`, whose path is its mount point, if a process writes to it,
//! or if it is nearly full, frozen, or read-only although it should be writable. For each of these
//! there is one source: `statvfs`; the kernel functions that writers wait in ([`thaw_waits`]),
//! because no file says that a filesystem is frozen; and the list of mounts, or for some versions
//! of ext4 its count of errors ([`errors`]). [`filling`] infers which processes filled a filesystem
//! that is nearly full. While a filesystem is full or frozen, the files on it are `member-of` it.

mod errors;
mod filling;
mod open_files;
mod state;
mod thaw_waits;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    path::Path,
    time::Instant,
};

use hostread::{
    Directory, ProcRoot, Seen, Vantage,
    directory::FilesystemSpace,
    mounts::{self, LocalMounts},
    parse::{self, mounts::Mount},
};
use signals::Signal;

use crate::{
    coverage::CoverageBuilder,
    files::{FileKey, FileTable},
    measure::{Measured, Reason},
    process::Process,
};

use open_files::OpenFiles;
use state::FilesystemState;
pub use thaw_waits::ThawWait;

/// Filesystem that a process writes to, or that is abnormal.
#[derive(Clone, Debug)]
pub struct Filesystem {
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Mount point, as text.
    pub path: String,
    /// Measured values.
    pub figures: Vec<(Signal, Measured)>,
    /// Whether writes fail or block, so that every file on it is shown.
    pub is_full_or_frozen: bool,
    /// Processes with a file open for writing on it, as indices into the sweep.
    pub writers: Vec<usize>,
    /// If it is nearly full: bytes that each of its main writers added recently, by index into the
    /// sweep.
    pub fillers: BTreeMap<usize, f64>,
    /// Lines that show that it is not writable, with their source.
    pub evidence: Vec<(String, String)>,
}

/// Filesystems of one sweep.
#[derive(Debug, Default)]
pub struct Filesystems {
    /// Filesystems to show.
    pub filesystems: Vec<Filesystem>,
    /// Tasks that wait until a frozen filesystem is thawed.
    pub thaw_waits: Vec<ThawWait>,
    open_files: OpenFiles,
}

impl Filesystems {
    /// Returns the bytes that a process added to filesystems that are nearly full.
    pub fn filled_by(&self, process: usize) -> f64 {
        self.filesystems.iter().filter_map(|filesystem| filesystem.fillers.get(&process)).sum()
    }

    /// Returns the device of the filesystem that a file is on, if that is full or frozen.
    pub fn full_or_frozen_device(&self, file: &FileKey) -> Option<(u32, u32)> {
        let device = self.open_files.filesystem(file)?;
        let is_abnormal = |one: &Filesystem| one.device == device && one.is_full_or_frozen;
        self.filesystems.iter().any(is_abnormal).then_some(device)
    }
}

/// Inputs for reading filesystems.
pub struct FilesystemInputs<'s> {
    /// Root of `/proc`.
    pub root: &'s ProcRoot,
    /// Namespaces and mounts of this process.
    pub vantage: &'s Vantage,
    /// Processes of the sweep.
    pub processes: &'s [Process],
    /// Open files of the processes.
    pub files: &'s FileTable,
    /// Start of the sweep.
    pub at: Instant,
}

/// State kept between sweeps: the mounts, which change rarely, and the history of each source.
#[derive(Debug, Default)]
pub struct History {
    mounts: LocalMounts,
    // Devices of open files that were on no known mount when the mounts were read.
    unmounted: BTreeSet<(u32, u32)>,
    // Filesystems that were writable in an earlier sweep.
    writable: BTreeSet<(u32, u32)>,
    sweeps_until_reread: u32,
    errors: errors::History,
    thaw_waits: thaw_waits::History,
    filling: filling::History,
}

/// The mounts are read again after this many sweeps, or earlier if something shows that they
/// changed.
const MOUNTS_REREAD_SWEEPS: u32 = 10;

impl History {
    /// Reads the filesystems.
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
                // The list of mounts is cached and may be older than the answer of `statvfs`.
                let is_new = space.is_read_only && mount.is_writable && !mount.is_filesystem_read_only();
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

    /// Finds the tasks that wait for a frozen filesystem.
    fn thaw_waits(
        &mut self,
        inputs: &FilesystemInputs<'_>,
        open_files: &OpenFiles,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> thaw_waits::ThawWaits {
        let root_device =
            self.mounts.local.values().find(|mount| mount.path == Path::new("/")).map(|mount| mount.device);
        let inputs = thaw_waits::Inputs { root: inputs.root, processes: inputs.processes, open_files, root_device };
        let found = self.thaw_waits.find(&inputs, buffer);
        coverage.add("frozen-filesystem", Reason::Unsupported, found.unassigned);
        coverage.add("frozen-filesystem", Reason::Denied, usize::from(found.denied));
        found
    }

    /// Returns the devices of all mounted local filesystems.
    pub fn devices(&self) -> BTreeSet<(u32, u32)> {
        self.mounts.local.keys().copied().collect()
    }

    /// Returns the open files by filesystem. Reads the mounts again if it is due, or if a file is
    /// on none of them.
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
        // Retry a denied read in the next sweep, so that each sweep reports it.
        self.sweeps_until_reread = if matches!(text, Seen::Here(_)) { MOUNTS_REREAD_SWEEPS } else { 0 };
        self.mounts = LocalMounts::from_mounts(parse::mounts::parse_mountinfo(text.here().unwrap_or_default()));
        self.writable.retain(|device| self.mounts.local.contains_key(device));
        self.errors.retain(|device| self.mounts.local.contains_key(device));
    }
}

/// Returns all filesystems on block devices, and those in memory that have an open file.
fn relevant_mounts<'m>(
    mounts: &'m BTreeMap<(u32, u32), Mount>,
    open_files: &OpenFiles,
) -> impl Iterator<Item = (&'m (u32, u32), &'m Mount)> {
    let held = open_files.filesystems_in_use();
    mounts.iter().filter(move |(device, _)| device.0 != 0 || held.contains(device))
}

fn space(top: &Seen<Directory>, mount: &Mount) -> Seen<FilesystemSpace> {
    // Relative to the root directory. An empty path does not name a directory.
    let below = mount.path.strip_prefix("/").unwrap_or(&mount.path).as_os_str();
    let below = if below.is_empty() { OsStr::new(".") } else { below };
    top.as_ref().and_then(|top| top.filesystem_space(below, mounts::mount_point_device(mount)))
}
