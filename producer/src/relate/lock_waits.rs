//! Finds the tasks that wait for file locks, the processes they wait for, and how long they have
//! waited.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hostread::{
    ProcRoot, ProcessKey, Seen,
    locks::LockList,
    parse::syscall::{LockCall, LockFamily},
    process,
};

use collector::{files::FileKey, process::Process, tasks::Task};

use crate::relate::lock_holders::{self, HeldLock, LockEvidence, OpenDescriptors};

/// A task that waits for a file lock.
#[derive(Clone, Debug)]
pub struct LockWait {
    /// Index of the waiting process in the sweep.
    pub process: usize,
    /// The locked file.
    pub file: FileKey,
    /// Time since the wait was first seen.
    pub blocked: Duration,
    /// Holders of the locks that the task waits for; empty if none is visible.
    pub holders: Vec<Blocker>,
}

/// A process that blocks a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Index of the process in the sweep.
    pub process: usize,
    /// False for a process that only shares the holder's open file.
    pub is_main: bool,
    /// Whether the kernel names it as the holder of this lock; else it is inferred.
    pub observed: bool,
}

/// Locks and lock waits of one sweep.
#[derive(Debug, Default)]
pub struct FileLocks {
    /// Held locks.
    pub held: Vec<HeldLock>,
    /// Waiting tasks.
    pub waits: Vec<LockWait>,
    /// Raw lines that prove the waits.
    pub evidence: BTreeSet<LockEvidence>,
    /// Waits that `/proc/locks` lists without an identifiable waiter.
    pub unknown_waits: usize,
    /// Whether `waits` may be incomplete because a process's system calls are unreadable.
    pub may_hide_waits: bool,
    /// Whether the holders in `waits` may be incomplete because a process's open files are
    /// unreadable.
    pub may_hide_holders: bool,
}

/// State kept between sweeps: ongoing waits.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32, FileKey), OngoingWait>,
}

#[derive(Clone, Copy, Debug)]
struct OngoingWait {
    // A task that was woken and waits again has run in between (`turns` grew), so its wait is a new
    // one.
    turns: Option<u64>,
    since: Instant,
}

/// Inputs for finding lock waits.
pub struct LockInputs<'s> {
    /// The `/proc` to read from.
    pub root: &'s ProcRoot,
    /// Processes of the sweep.
    pub processes: &'s [Process],
    /// Tasks of the sweep.
    pub tasks: &'s [Task],
    /// The lines of `/proc/locks`.
    pub listed: &'s LockList,
    /// Whether the list omits locks because it was read outside of the initial PID namespace.
    pub list_hides: bool,
}

/// A task blocked in a lock call.
#[derive(Clone, Debug)]
struct BlockedTask {
    process: usize,
    task: u32,
    file: FileKey,
    call: Option<LockCall>,
    // The number of the lock in `/proc/locks`, if the list shows this wait.
    number: Option<u64>,
    evidence: Vec<LockEvidence>,
}

impl History {
    /// Finds the locks and lock waits of this sweep.
    pub fn update(&mut self, inputs: &LockInputs<'_>, buffer: &mut Vec<u8>) -> FileLocks {
        let descriptors = OpenDescriptors::new(inputs.processes);
        let listed = inputs.listed;
        let mut blocked: Vec<BlockedTask> = inputs.tasks.iter().filter_map(|task| blocked_task(inputs, task)).collect();
        let mut inodes = listed.contended_inodes();
        inodes.extend(blocked.iter().map(|blocked| blocked.file.inode));
        // For a lock without waiters, which most locks are, a live owner in the list suffices.
        inodes.extend(lock_holders::inodes_without_owner(inputs.processes, &descriptors, listed));
        let held = lock_holders::holders(inputs.root, inputs.processes, &descriptors, listed, &inodes, buffer);
        add_listed_waits(inputs, &descriptors, listed, &mut blocked);
        let n_listed = listed.lines.iter().filter(|(line, _)| line.is_waiting).count();
        let found = blocked.iter().filter(|blocked| blocked.number.is_some()).count();
        let mut locks = FileLocks { unknown_waits: n_listed.saturating_sub(found), ..FileLocks::default() };
        let now = inputs.root.tape.monotonic_clock();
        let mut ongoing = HashMap::with_capacity(blocked.len());
        for blocked in blocked {
            let Some(waiter) = inputs.processes.get(blocked.process) else { continue };
            let key = (waiter.key, blocked.task, blocked.file);
            let turns = process::times_scheduled(inputs.root, waiter.key, blocked.task, buffer);
            // Without scheduler statistics, `turns` is missing in both sweeps. Lock waits are rare
            // enough to assume that it is the same wait.
            let before = self.waits.get(&key).filter(|before| before.turns == turns);
            let since = before.map_or(now, |before| before.since);
            ongoing.insert(key, OngoingWait { turns, since });
            let (holders, evidence) = blockers(&blocked, &held);
            locks.evidence.extend(evidence.into_iter().chain(blocked.evidence));
            let blocked_for = now.duration_since(since);
            locks.waits.push(LockWait { process: blocked.process, file: blocked.file, blocked: blocked_for, holders });
        }
        self.waits = ongoing;
        locks.held = held;
        locks.set_hidden_flags(inputs, listed);
        locks
    }
}

impl FileLocks {
    fn set_hidden_flags(&mut self, inputs: &LockInputs<'_>, listed: &LockList) {
        let is_whole_list = listed.readable == Seen::Here(()) && !inputs.list_hides && self.unknown_waits == 0;
        let any_closed = inputs.processes.iter().any(Process::is_opaque);
        self.may_hide_waits = any_closed && !is_whole_list;
        let any_unknown = self.waits.iter().any(|wait| wait.holders.is_empty());
        self.may_hide_holders = any_closed && (self.may_hide_waits || any_unknown);
    }
}

fn blocked_task(inputs: &LockInputs<'_>, task: &Task) -> Option<BlockedTask> {
    let Task { process: at, id: task, syscall } = *task;
    let call = syscall.lock_call()?;
    let process = inputs.processes.get(at)?;
    let file = process.handles.as_ref().here()?.file(call.fd)?;
    let pid = process.key.pid;
    let [a, b, c, ..] = syscall.arguments;
    let evidence = LockEvidence {
        source: inputs.root.path.join(format!("{pid}/task/{task}/syscall")).display().to_string(),
        text: format!("{} {a:#x} {b:#x} {c:#x}: {}", syscall.number, call.describe()),
        processes: vec![at],
        file,
    };
    Some(BlockedTask { process: at, task, file, call: Some(call), number: None, evidence: vec![evidence] })
}

/// Adds waits that only the list shows (its `->` lines) to those found from the tasks' system
/// calls.
fn add_listed_waits(
    inputs: &LockInputs<'_>,
    descriptors: &OpenDescriptors,
    listed: &LockList,
    blocked: &mut Vec<BlockedTask>,
) {
    let pids: BTreeMap<u32, usize> =
        inputs.processes.iter().enumerate().map(|(at, process)| (process.key.pid, at)).collect();
    let source = inputs.root.path.join("locks").display().to_string();
    for (line, text) in listed.lines.iter().filter(|(line, _)| line.is_waiting) {
        let process = u32::try_from(line.lock.pid).ok().and_then(|pid| pids.get(&pid).copied());
        let family = line.lock.class.family();
        let is_this = |blocked: &&mut BlockedTask| {
            blocked.number.is_none()
                && blocked.file.inode == line.lock.inode
                && blocked.call.map(|call| call.family) == family
                // For an open-file-description lock the list names no waiting process.
                && process.is_none_or(|process| process == blocked.process)
        };
        let evidence = |process: usize, file: FileKey| LockEvidence {
            source: source.clone(),
            text: text.clone(),
            processes: vec![process],
            file,
        };
        if let Some(known) = blocked.iter_mut().find(is_this) {
            known.number = Some(line.number);
            known.evidence.push(evidence(known.process, known.file));
        } else if let Some(process) = process
            && let Some(file) = descriptors.locked_file(inputs.processes, process, &line.lock)
        {
            blocked.push(BlockedTask {
                process,
                task: u32::try_from(line.lock.pid).unwrap_or(0),
                file,
                call: None,
                number: Some(line.number),
                evidence: vec![evidence(process, file)],
            });
        }
    }
}

/// Returns the holders that block a task: by lock number if the list shows the wait, else every
/// holder of a conflicting lock.
fn blockers(blocked: &BlockedTask, held: &[HeldLock]) -> (Vec<Blocker>, Vec<LockEvidence>) {
    let by_number = |held: &&HeldLock| blocked.number.is_some_and(|number| held.numbers.contains(&number));
    let mut locks: Vec<&HeldLock> = held.iter().filter(by_number).collect();
    let named_by_list = !locks.is_empty();
    if !named_by_list {
        locks = held.iter().filter(|held| held.file == blocked.file && conflicts(blocked, held)).collect();
    }
    // A whole-file lock conflicts for certain; for a byte range, the wanted range is not known.
    let whole_file = blocked.call.is_some_and(|call| call.family == LockFamily::Flock);
    let mut blockers = BTreeMap::<usize, Blocker>::new();
    for holder in locks.iter().flat_map(|held| &held.holders).filter(|holder| holder.process != blocked.process) {
        let observed = holder.is_main && (named_by_list || whole_file);
        let blocker = Blocker { process: holder.process, is_main: holder.is_main, observed };
        let known = blockers.entry(holder.process).or_insert(blocker);
        known.is_main |= blocker.is_main;
        known.observed |= blocker.observed;
    }
    let evidence = locks.iter().flat_map(|held| held.evidence.iter().cloned()).collect();
    (blockers.into_values().collect(), evidence)
}

fn conflicts(blocked: &BlockedTask, held: &HeldLock) -> bool {
    let Some(call) = blocked.call else { return false };
    let both_read = held.lock.is_shared && call.is_shared == Some(true);
    held.lock.class.family() == Some(call.family) && !both_read
}
