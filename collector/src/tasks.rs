//! System calls that tasks are in. Main threads are read with their process; each other thread
//! needs a read of its own, for which a sweep has a budget of CPU time (`sweep.deep_cpu_percent`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hostread::{
    ProcRoot, ProcessKey, Seen,
    parse::{self, syscall::Syscall},
    process::OpenProcess,
};

use crate::process::Process;

/// Task in a system call.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Index of its process in the sweep.
    pub process: usize,
    /// Thread id; for a main thread the pid.
    pub id: u32,
    /// System call.
    pub syscall: Syscall,
}

/// Tasks of a sweep.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Tasks in a system call.
    pub list: Vec<Task>,
    /// Number of threads that were not read because the budget was used up, by index of their
    /// process in the sweep.
    pub skipped: BTreeMap<usize, usize>,
}

/// Reads threads, and keeps between sweeps which process comes first.
#[derive(Debug, Default)]
pub struct ThreadScanner {
    next: Option<ProcessKey>,
}

impl ThreadScanner {
    /// Reads the tasks of a sweep. Processes that have, or may have, one of the files `wanted`
    /// open, on which a lock is waited for, come first. The others take turns when the `budget` of
    /// CPU time is used up.
    pub fn scan(
        &mut self,
        root: &ProcRoot,
        processes: &[Process],
        wanted: &BTreeSet<u64>,
        budget: Duration,
        buffer: &mut Vec<u8>,
    ) -> Tasks {
        let mut tasks = Tasks { list: main_threads(processes), skipped: BTreeMap::new() };
        let (urgent, mut others): (Vec<usize>, Vec<usize>) = (0..processes.len())
            .filter(|at| processes.get(*at).is_some_and(|process| process.threads > 1))
            .partition(|at| processes.get(*at).is_some_and(|process| may_have_open(process, wanted)));
        let is_next = |at: &usize| processes.get(*at).is_some_and(|process| Some(process.key) >= self.next);
        let start = others.iter().position(is_next).unwrap_or(0);
        others.rotate_left(start);
        self.next = None;
        let began = root.tape.thread_cpu_time();
        let is_budget_spent = || root.tape.thread_cpu_time().saturating_sub(began) > budget;
        let n_urgent = urgent.len();
        for (nth, at) in urgent.into_iter().chain(others).enumerate() {
            let Some(process) = processes.get(at) else { continue };
            if is_budget_spent() {
                tasks.skipped.insert(at, usize::try_from(process.threads).unwrap_or(usize::MAX).saturating_sub(1));
                if nth >= n_urgent {
                    self.next.get_or_insert(process.key);
                }
                continue;
            }
            let skipped = other_threads(root, at, process.key, is_budget_spent, &mut tasks.list, buffer);
            if skipped > 0 {
                tasks.skipped.insert(at, skipped);
            }
        }
        tasks
    }
}

fn main_threads(processes: &[Process]) -> Vec<Task> {
    let in_call = processes.iter().enumerate().filter_map(|(at, process)| match process.syscall {
        Seen::Here(Some(syscall)) => Some(Task { process: at, id: process.key.pid, syscall }),
        _ => None,
    });
    in_call.collect()
}

fn may_have_open(process: &Process, wanted: &BTreeSet<u64>) -> bool {
    if wanted.is_empty() {
        return false;
    }
    let Seen::Here(handles) = &process.handles else { return false };
    handles.left_out() > 0 || handles.files().any(|(_, file, _)| wanted.contains(&file.inode))
}

/// Reads the threads of a process other than the main thread. Returns the number of threads that
/// were skipped because the budget was used up.
fn other_threads(
    root: &ProcRoot,
    at: usize,
    identity: ProcessKey,
    is_budget_spent: impl Fn() -> bool,
    list: &mut Vec<Task>,
    buffer: &mut Vec<u8>,
) -> usize {
    // Reading the clock is expensive.
    const THREADS_PER_BUDGET_CHECK: usize = 32;
    let Seen::Here(directory) = OpenProcess::reopen(root, identity, buffer) else { return 0 };
    let Seen::Here(threads) = directory.open_dir("task") else { return 0 };
    let ids = threads.numeric_names().here().unwrap_or_default();
    for (nth, id) in ids.iter().copied().enumerate().filter(|(_, id)| *id != identity.pid) {
        if nth % THREADS_PER_BUDGET_CHECK == THREADS_PER_BUDGET_CHECK - 1 && is_budget_spent() {
            return ids.len() - nth;
        }
        let text = threads.read_page(&format!("{id}/syscall"), buffer).here();
        if let Some(syscall) = text.and_then(parse::syscall::parse_syscall) {
            list.push(Task { process: at, id, syscall });
        }
    }
    0
}
