//! Tasks that wait for a frozen filesystem. No file says that a filesystem is frozen; the kernel
//! function that its writers wait in shows it.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hostread::{
    Directory, ProcRoot, ProcessKey, Seen,
    parse::{
        self,
        frozen_wait::{self, ChangedFile, WaitsForThaw},
    },
    process::{self, OpenProcess},
};

use super::open_files::OpenFiles;
use crate::process::Process;

/// Task that waits until a filesystem is thawed.
#[derive(Clone, Debug)]
pub struct ThawWait {
    /// Index of its process in the sweep.
    pub process: usize,
    /// Device of the filesystem.
    pub device: (u32, u32),
    /// Time since the wait was first seen.
    pub blocked: Duration,
    /// Source and text of the line that shows the wait.
    pub evidence: (String, String),
}

/// Waits of one sweep.
#[derive(Debug, Default)]
pub struct ThawWaits {
    /// Waits with a known filesystem.
    pub waits: Vec<ThawWait>,
    /// Number of waits whose filesystem is unknown.
    pub unassigned: usize,
    /// Whether the state of a task that may wait is unreadable.
    pub denied: bool,
}

impl ThawWaits {
    /// Returns the number of waits for a filesystem; `None` if there is none and a possible waiter
    /// is unreadable.
    pub fn count(&self, device: (u32, u32)) -> Option<usize> {
        let waits = self.waits.iter().filter(|waits| waits.device == device).count();
        (waits > 0 || !self.denied).then_some(waits)
    }
}

/// Inputs for finding waits.
pub struct Inputs<'s> {
    /// Root of `/proc`.
    pub root: &'s ProcRoot,
    /// Processes of the sweep.
    pub processes: &'s [Process],
    /// Open files by filesystem.
    pub open_files: &'s OpenFiles,
    /// Filesystem of the root directory.
    pub root_device: Option<(u32, u32)>,
}

/// State kept between sweeps: ongoing waits, and the process whose threads are scanned next.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32), OngoingWait>,
    next_process: usize,
}

#[derive(Clone, Copy, Debug)]
struct OngoingWait {
    // Times that the task was scheduled. A task that was woken and waits again has a higher count;
    // its wait is a new one.
    runs: Option<u64>,
    since: Instant,
}

/// Task that waits to write. `device` is `None` if its system call does not identify the
/// filesystem.
struct Waiting {
    process: usize,
    task: u32,
    device: Option<(u32, u32)>,
    evidence: (String, String),
}

/// Maximum number of threads, other than main threads, that one sweep reads.
const MAX_THREADS_PER_SWEEP: usize = 64;

impl History {
    /// Reads the main threads in uninterruptible sleep, and some of the other threads of processes
    /// that write.
    pub fn find(&mut self, inputs: &Inputs<'_>, buffer: &mut Vec<u8>) -> ThawWaits {
        let in_disk_wait = inputs.processes.iter().enumerate().filter(|(_, process)| process.state == b'D');
        let in_disk_wait: Vec<(usize, &Process)> = in_disk_wait.collect();
        let mut waiting = Vec::new();
        for (at, process) in &in_disk_wait {
            let Some(tasks) = task_directory(inputs.root, process.key, buffer) else { continue };
            waiting.extend(waiting_task(inputs, *at, process.key.pid, &tasks, buffer));
        }
        self.scan_threads(inputs, &mut waiting, buffer);
        let denied = in_disk_wait.iter().any(|(_, process)| matches!(process.syscall, Seen::Denied));
        self.assign(inputs, waiting, ThawWaits { denied, ..ThawWaits::default() }, buffer)
    }

    /// Reads threads other than main threads: if a worker thread writes, the main thread waits for
    /// something else. Processes whose threads waited in the previous sweep come first, the others
    /// take turns.
    fn scan_threads(&mut self, inputs: &Inputs<'_>, waiting: &mut Vec<Waiting>, buffer: &mut Vec<u8>) {
        let known: BTreeSet<ProcessKey> = self.waits.keys().map(|(identity, _)| *identity).collect();
        let process =
            |at: usize| inputs.processes.get(at).filter(|process| process.threads > 1).map(|process| (at, process));
        let threaded = inputs.open_files.all_writers().into_iter().filter_map(process);
        let (urgent, mut others): (Vec<_>, Vec<_>) = threaded.partition(|(_, process)| known.contains(&process.key));
        let start = self.next_process.checked_rem(others.len()).unwrap_or(0);
        others.rotate_left(start);
        let mut budget = MAX_THREADS_PER_SWEEP;
        for (nth, (at, process)) in urgent.iter().chain(&others).enumerate() {
            if budget == 0 {
                break;
            }
            self.next_process = self.next_process.wrapping_add(usize::from(nth >= urgent.len()));
            let Some(tasks) = task_directory(inputs.root, process.key, buffer) else { continue };
            let ids = tasks.numeric_names().here().unwrap_or_default();
            for task in ids.into_iter().filter(|task| *task != process.key.pid).take(budget) {
                budget -= 1;
                waiting.extend(waiting_task(inputs, *at, task, &tasks, buffer));
            }
        }
    }

    /// Assigns each wait a filesystem and a start time.
    fn assign(
        &mut self,
        inputs: &Inputs<'_>,
        waiting: Vec<Waiting>,
        mut found: ThawWaits,
        buffer: &mut Vec<u8>,
    ) -> ThawWaits {
        let known_frozen: BTreeSet<(u32, u32)> = waiting.iter().filter_map(|waiting| waiting.device).collect();
        let now = inputs.root.tape.monotonic_clock();
        let before = std::mem::take(&mut self.waits);
        for Waiting { process, task, device, evidence } in waiting {
            let Some(identity) = inputs.processes.get(process).map(|process| process.key) else { continue };
            let key = (identity, task);
            let runs = process::times_scheduled(inputs.root, identity, task, buffer);
            let same = before.get(&key).filter(|before| runs.is_some() && before.runs == runs);
            let since = same.map_or(now, |before| before.since);
            self.waits.insert(key, OngoingWait { runs, since });
            match device.or_else(|| guess(inputs, process, &known_frozen)) {
                Some(device) => {
                    found.waits.push(ThawWait { process, device, blocked: now.duration_since(since), evidence })
                }
                None => found.unassigned += 1,
            }
        }
        found
    }
}

/// Guesses the filesystem of a wait in a call with a path, or on a page of a mapped file, from what
/// the process writes to: a filesystem that is known to be frozen, or the only one beside the root
/// filesystem, which most processes log to.
fn guess(inputs: &Inputs<'_>, process: usize, known_frozen: &BTreeSet<(u32, u32)>) -> Option<(u32, u32)> {
    let written: Vec<(u32, u32)> = inputs.open_files.written_by(process).collect();
    let mut others = written.iter().copied().filter(|device| Some(*device) != inputs.root_device);
    let frozen = written.iter().copied().find(|device| known_frozen.contains(device));
    frozen.or_else(|| others.next().filter(|_| others.next().is_none()))
}

fn task_directory(root: &ProcRoot, identity: ProcessKey, buffer: &mut Vec<u8>) -> Option<Directory> {
    OpenProcess::reopen(root, identity, buffer).and_then(|directory| directory.open_dir("task")).here()
}

fn waiting_task(inputs: &Inputs<'_>, at: usize, task: u32, tasks: &Directory, buffer: &mut Vec<u8>) -> Option<Waiting> {
    let verdict = tasks
        .read_page(&format!("{task}/wchan"), buffer)
        .map(|text| (frozen_wait::parse_wchan(text), parse::text(text)));
    let (verdict, wchan) = verdict.here()?;
    if verdict == WaitsForThaw::No {
        return None;
    }
    // Running tasks have no wait channel either.
    let call = match tasks.read_page(&format!("{task}/syscall"), buffer).here()? {
        text if text.starts_with(b"running") => return None,
        text => parse::syscall::parse_syscall(text),
    };
    let process = inputs.processes.get(at)?;
    // Outside of a system call, the task writes to a page of a mapped file.
    let device = match call.as_ref().map_or(Some(ChangedFile::Path), frozen_wait::changed_filesystem)? {
        ChangedFile::Descriptor(fd) => Some(inputs.open_files.filesystem(&process.handles.as_ref().here()?.file(fd)?)?),
        ChangedFile::Path => None,
    };
    let name = if verdict == WaitsForThaw::Yes { "wchan" } else { "stack" };
    let text = match verdict {
        WaitsForThaw::Yes => wchan,
        _ => tasks
            .read_page(&format!("{task}/stack"), buffer)
            .here()
            .and_then(frozen_wait::find_thaw_frame)
            .map(parse::text)?,
    };
    let source = inputs.root.path.join(format!("{}/task/{task}/{name}", process.key.pid));
    Some(Waiting { process: at, task, device, evidence: (source.display().to_string(), text) })
}
