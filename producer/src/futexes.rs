//! Threads that wait for one another while their process owes an answer.
//!
//! The kernel does not know who holds what a futex stands for, nor whether a wait at one is trouble: idle threads wait so too. What it
//! tells is that several threads have stayed at the same one; that they do while somebody waits for an answer of theirs says that these
//! do not work on it. So only such waits are told, and no holder is named.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use crate::{
    process::{Identity, Process},
    read::ProcRoot,
    tasks::{self, Task},
};

/// Threads of one process at one futex.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Index of the process in the sweep.
    pub process: usize,
    /// For how long all of them that were asked have stayed there.
    pub stayed: Duration,
    /// Where the call of one of them was read.
    pub source: String,
    /// The call in words.
    pub text: String,
}

/// What is remembered from sweep to sweep: the waits that went on.
#[derive(Debug, Default)]
pub struct Memory {
    waits: HashMap<(Identity, u32), Sighting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    futex: u64,
    // A thread that was woken and waits again has had a turn on a CPU; its wait is a new one.
    turns: Option<u64>,
    since: Instant,
}

/// Fewer threads at a futex are none that wait for one another.
const FEWEST: usize = 2;
/// As many are asked how long they have waited; the others hardly came before all of these.
const MOST: usize = 32;

impl Memory {
    /// The largest crowd of each process that is `owing` an answer.
    pub fn look(
        &mut self,
        root: &ProcRoot,
        processes: &[Process],
        tasks: &[Task],
        owing: impl Fn(usize) -> bool,
        buffer: &mut Vec<u8>,
    ) -> Vec<Crowd> {
        let mut at_futexes = BTreeMap::<usize, BTreeMap<u64, Vec<&Task>>>::new();
        for task in tasks.iter().filter(|task| owing(task.process)) {
            if let Some(futex) = task.syscall.futex() {
                at_futexes.entry(task.process).or_default().entry(futex).or_default().push(task);
            }
        }
        let now = root.tape.monotonic();
        let before = std::mem::take(&mut self.waits);
        let mut crowds = Vec::new();
        for (at, futexes) in at_futexes {
            let Some(process) = processes.get(at) else { continue };
            let largest = futexes.into_iter().max_by_key(|(_, tasks)| tasks.len());
            let Some((futex, tasks)) = largest.filter(|(_, tasks)| tasks.len() >= FEWEST) else { continue };
            let mut stayed = Duration::MAX;
            for task in tasks.iter().take(MOST) {
                let key = (process.identity, task.id);
                let turns = tasks::turns(root, process.identity, task.id, buffer);
                let same =
                    before.get(&key).filter(|before| turns.is_some() && (before.futex, before.turns) == (futex, turns));
                let since = same.map_or(now, |before| before.since);
                self.waits.insert(key, Sighting { futex, turns, since });
                stayed = stayed.min(now.duration_since(since));
            }
            crowds.extend(tasks.first().map(|task| crowd(root, process, task, tasks.len(), stayed)));
        }
        crowds
    }
}

fn crowd(root: &ProcRoot, process: &Process, task: &Task, n: usize, stayed: Duration) -> Crowd {
    let [futex, operation, ..] = task.syscall.arguments;
    let path = root.path.join(format!("{}/task/{}/syscall", process.identity.pid, task.id));
    Crowd {
        process: task.process,
        stayed,
        source: path.display().to_string(),
        text: format!("{} {futex:#x} {operation:#x}: futex(wait), {n} threads", task.syscall.number),
    }
}
