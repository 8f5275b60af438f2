//! Tasks that wait for a frozen filesystem. No file says that a filesystem is frozen; where its writers wait does.

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
use crate::collect::process::Process;

/// A task that waits until a filesystem is thawed.
#[derive(Clone, Debug)]
pub struct ThawWait {
    /// Index of its process in the sweep.
    pub process: usize,
    /// The filesystem's device.
    pub device: (u32, u32),
    /// Since the wait was first seen.
    pub blocked: Duration,
    /// The file that says that it waits, and what it says.
    pub evidence: (String, String),
}

/// What a look at the tasks found.
#[derive(Debug, Default)]
pub struct ThawWaits {
    /// Those that wait.
    pub waits: Vec<ThawWait>,
    /// Tasks that wait for a filesystem, and it cannot be told which.
    pub unassigned: usize,
    /// Whether a task that may wait could not be looked at.
    pub denied: bool,
}

impl ThawWaits {
    /// How many wait for the filesystem on that device. None wait if none is seen to, unless one may that was not seen.
    pub fn count(&self, device: (u32, u32)) -> Option<usize> {
        let waits = self.waits.iter().filter(|waits| waits.device == device).count();
        (waits > 0 || !self.denied).then_some(waits)
    }
}

/// What a look at the tasks needs.
pub struct Inputs<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// Who writes where.
    pub open_files: &'s OpenFiles,
    /// The filesystem that holds the host's root directory.
    pub root_device: Option<(u32, u32)>,
}

/// What is remembered from sweep to sweep: the waits that went on, and whose turn it is.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32), OngoingWait>,
    next_process: usize,
}

#[derive(Clone, Copy, Debug)]
struct OngoingWait {
    // A task that was woken and waits again has had a turn; its wait is a new one.
    runs: Option<u64>,
    since: Instant,
}

/// A task that waits to be let write; to what is not known if its call does not tell.
struct Waiting {
    process: usize,
    task: u32,
    device: Option<(u32, u32)>,
    evidence: (String, String),
}

/// The most threads, main threads aside, that are looked at in a sweep.
const MAX_THREADS_PER_SWEEP: usize = 64;

impl History {
    /// Looks at the main threads in uninterruptible wait, and at some other threads of those who write.
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

    /// A process whose worker writes waits in its main thread for something else. Those whose threads waited in the sweep
    /// before come first, the others in turn.
    fn scan_threads(&mut self, inputs: &Inputs<'_>, waiting: &mut Vec<Waiting>, buffer: &mut Vec<u8>) {
        let known: BTreeSet<ProcessKey> = self.waits.keys().map(|(identity, _)| *identity).collect();
        let process =
            |at: usize| inputs.processes.get(at).filter(|process| process.threads > 1).map(|process| (at, process));
        let threaded = inputs.open_files.all_writers().into_iter().filter_map(process);
        let (urgent, mut others): (Vec<_>, Vec<_>) = threaded.partition(|(_, process)| known.contains(&process.key));
        let next_process = self.next_process.checked_rem(others.len()).unwrap_or(0);
        others.rotate_left(next_process);
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

    /// Finds what each waits for, and since when.
    fn assign(
        &mut self,
        inputs: &Inputs<'_>,
        waiting: Vec<Waiting>,
        mut found: ThawWaits,
        buffer: &mut Vec<u8>,
    ) -> ThawWaits {
        let certain: BTreeSet<(u32, u32)> = waiting.iter().filter_map(|waiting| waiting.device).collect();
        let now = inputs.root.tape.monotonic_clock();
        let before = std::mem::take(&mut self.waits);
        for Waiting { process, task, device, evidence } in waiting {
            let Some(identity) = inputs.processes.get(process).map(|process| process.key) else { continue };
            let key = (identity, task);
            let runs = process::times_scheduled(inputs.root, identity, task, buffer);
            let same = before.get(&key).filter(|before| runs.is_some() && before.runs == runs);
            let since = same.map_or(now, |before| before.since);
            self.waits.insert(key, OngoingWait { runs, since });
            match device.or_else(|| guess(inputs, process, &certain)) {
                Some(device) => {
                    found.waits.push(ThawWait { process, device, blocked: now.duration_since(since), evidence })
                }
                None => found.unassigned += 1,
            }
        }
        found
    }
}

/// A path, or a page of a mapped file, does not tell the filesystem; what the process writes to does if that is one that is
/// known to be frozen, or the only one beside that of the root directory, where everybody's logs are.
fn guess(inputs: &Inputs<'_>, process: usize, certain: &BTreeSet<(u32, u32)>) -> Option<(u32, u32)> {
    let written: Vec<(u32, u32)> = inputs.open_files.written_by(process).collect();
    let mut others = written.iter().copied().filter(|device| Some(*device) != inputs.root_device);
    let frozen = written.iter().copied().find(|device| certain.contains(device));
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
    // One that runs has no place where it waits either.
    let call = match tasks.read_page(&format!("{task}/syscall"), buffer).here()? {
        text if text.starts_with(b"running") => return None,
        text => parse::syscall::parse_syscall(text),
    };
    let process = inputs.processes.get(at)?;
    // Outside of a call, it is a page of a mapped file that is written to.
    let device = match call.as_ref().map_or(Some(ChangedFile::Somewhere), frozen_wait::changed_filesystem)? {
        ChangedFile::At(fd) => Some(inputs.open_files.filesystem(&process.handles.as_ref().here()?.file(fd)?)?),
        ChangedFile::Somewhere => None,
    };
    let name = if verdict == WaitsForThaw::Yes { "wchan" } else { "stack" };
    let says = match verdict {
        WaitsForThaw::Yes => wchan,
        _ => tasks
            .read_page(&format!("{task}/stack"), buffer)
            .here()
            .and_then(frozen_wait::find_thaw_frame)
            .map(parse::text)?,
    };
    let source = inputs.root.path.join(format!("{}/task/{task}/{name}", process.key.pid));
    Some(Waiting { process: at, task, device, evidence: (source.display().to_string(), says) })
}
