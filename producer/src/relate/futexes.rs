//! Futex contention: threads that wait at one futex while their process has a pending request.
//!
//! The kernel records neither the holder behind a futex nor whether a wait is harmful: idle threads
//! of a pool wait at a futex too. What it shows is that several threads stay at the same futex.
//! While the process has not answered a request, these threads do not work on it. Only such waits
//! are reported, without a holder.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use hostread::{ProcRoot, ProcessKey, process};

use collector::{process::Process, tasks::Task};

/// Threads of one process that wait at the same futex.
#[derive(Clone, Debug)]
pub struct ContendedFutex {
    /// Index of the process in the sweep.
    pub process: usize,
    /// How long at least two threads have stayed at the futex; others may come and go.
    pub waited: Duration,
    /// File that the system call of one of the threads was read from.
    pub source: String,
    /// The system call of that thread, decoded.
    pub text: String,
}

/// State kept between sweeps: ongoing futex waits.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32), OngoingWait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OngoingWait {
    futex: u64,
    // A task that was woken and waits again has run in between (`turns` grew), so its wait is a new
    // one.
    turns: Option<u64>,
    since: Instant,
}

/// Minimum wait at a futex that counts as evidence.
pub const MIN_WAIT: Duration = Duration::from_millis(100);
/// Minimum age, in milliseconds, of a pending request before the process's threads are inspected. A
/// younger request may be about to be answered.
pub const MIN_PENDING_REQUEST_MS: f64 = 100.0;
/// Minimum number of threads at one futex that counts as contention.
const MIN_THREADS: usize = 2;
/// Maximum number of threads per futex whose wait is measured. Threads measured before come first.
const MAX_THREADS_PER_FUTEX: usize = 32;
/// Maximum number of futexes per process that are inspected. Those with the most waiting threads
/// come first.
const MAX_FUTEXES_PER_PROCESS: usize = 8;

impl History {
    /// Finds, for each process with a pending request, the contended futex at which threads have
    /// waited longest.
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

/// The scan of one sweep.
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

    /// Returns how long a task has waited at the futex without running in between.
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
