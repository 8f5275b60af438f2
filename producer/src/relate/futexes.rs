//! Threads that wait for one another while their process owes an answer.
//!
//! The kernel does not know who holds what a futex stands for, nor whether a wait at one is trouble: idle threads wait so too. What it
//! tells is that several threads have stayed at the same one; that they do while somebody waits for an answer of theirs says that these
//! do not work on it. So only such waits are told, and no holder is named.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use hostread::{ProcRoot, ProcessKey, process};

use crate::collect::{process::Process, tasks::Task};

/// Threads of one process at one futex.
#[derive(Clone, Debug)]
pub struct ContendedFutex {
    /// Index of the process in the sweep.
    pub process: usize,
    /// For how long at least two of them have stayed there; others may come one after another.
    pub waited: Duration,
    /// Where the call of one of them was read.
    pub source: String,
    /// The call in words.
    pub text: String,
}

/// What is remembered from sweep to sweep: the waits that went on.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32), OngoingWait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OngoingWait {
    futex: u64,
    // A thread that was woken and waits again has had a turn on a CPU; its wait is a new one.
    turns: Option<u64>,
    since: Instant,
}

/// Threads that wait at a futex for a shorter time are not evidence.
pub const MIN_WAIT: Duration = Duration::from_millis(100);
/// A process whose oldest request has waited for a shorter time is not looked at: its threads may be about to answer.
pub const MIN_PENDING_REQUEST_MS: f64 = 100.0;
/// Fewer threads at a futex are none that wait for one another.
const MIN_THREADS: usize = 2;
/// As many threads at a futex are asked how long they have waited, those first that were asked before.
const MAX_THREADS_PER_FUTEX: usize = 32;
/// As many futexes of a process are looked at, those first at which most threads wait.
const MAX_FUTEXES_PER_PROCESS: usize = 8;

impl History {
    /// The crowd of each process that is `owing` an answer, or the one that has stayed longest.
    pub fn find(
        &mut self,
        root: &ProcRoot,
        processes: &[Process],
        tasks: &[Task],
        has_pending_request: impl Fn(usize) -> bool,
        buffer: &mut Vec<u8>,
    ) -> Vec<ContendedFutex> {
        let mut at_futexes = BTreeMap::<usize, BTreeMap<u64, Vec<&Task>>>::new();
        for task in tasks.iter().filter(|task| has_pending_request(task.process)) {
            if let Some(futex) = task.syscall.futex_wait_address() {
                at_futexes.entry(task.process).or_default().entry(futex).or_default().push(task);
            }
        }
        let mut look =
            Scan { root, now: root.tape.monotonic_clock(), before: &self.waits, waits: HashMap::new(), buffer };
        let mut longest = Vec::new();
        for (at, futexes) in at_futexes {
            let Some(process) = processes.get(at) else { continue };
            let mut contended_futexes: Vec<_> =
                futexes.into_iter().filter(|(_, tasks)| tasks.len() >= MIN_THREADS).collect();
            contended_futexes.sort_by_key(|(_, tasks)| Reverse(tasks.len()));
            contended_futexes.truncate(MAX_FUTEXES_PER_PROCESS);
            let contended_futexes: Vec<_> =
                contended_futexes.into_iter().map(|(futex, tasks)| look.contention(process, futex, tasks)).collect();
            longest.extend(contended_futexes.into_iter().flatten().max_by_key(|contention| contention.waited));
        }
        self.waits = look.waits;
        longest
    }
}

/// A look at the crowds of one sweep.
struct Scan<'l> {
    root: &'l ProcRoot,
    now: Instant,
    before: &'l HashMap<(ProcessKey, u32), OngoingWait>,
    waits: HashMap<(ProcessKey, u32), OngoingWait>,
    buffer: &'l mut Vec<u8>,
}

impl Scan<'_> {
    fn contention(&mut self, process: &Process, futex: u64, mut tasks: Vec<&Task>) -> Option<ContendedFutex> {
        let is_known =
            |task: &&Task| self.before.get(&(process.key, task.id)).is_some_and(|before| before.futex == futex);
        tasks.sort_by_key(|task| !is_known(task));
        let mut waits: Vec<Duration> =
            tasks.iter().take(MAX_THREADS_PER_FUTEX).map(|task| self.wait(process.key, futex, task)).collect();
        waits.sort_unstable_by_key(|wait| Reverse(*wait));
        let waited = waits.into_iter().nth(MIN_THREADS - 1)?;
        Some(contention(self.root, process, tasks.first()?, tasks.len(), waited))
    }

    /// For how long a task has stayed.
    fn wait(&mut self, process: ProcessKey, futex: u64, task: &Task) -> Duration {
        let key = (process, task.id);
        let turns = process::times_scheduled(self.root, process, task.id, self.buffer);
        let same =
            self.before.get(&key).filter(|before| turns.is_some() && (before.futex, before.turns) == (futex, turns));
        let since = same.map_or(self.now, |before| before.since);
        self.waits.insert(key, OngoingWait { futex, turns, since });
        self.now.duration_since(since)
    }
}

fn contention(root: &ProcRoot, process: &Process, task: &Task, n: usize, waited: Duration) -> ContendedFutex {
    let [futex, operation, ..] = task.syscall.arguments;
    let path = root.path.join(format!("{}/task/{}/syscall", process.key.pid, task.id));
    ContendedFutex {
        process: task.process,
        waited,
        source: path.display().to_string(),
        text: format!("{} {futex:#x} {operation:#x}: futex(wait), {n} threads", task.syscall.number),
    }
}
