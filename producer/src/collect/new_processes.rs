//! Processes that have only begun.
//!
//! Most are gone before the next look: a shell's commands, a compiler's passes. As nodes they would be noise, each a stranger. They are
//! counted on the process that they were started by and for, and those that stay are shown in the next sweep.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::collect::{
    measure::{Measured, Reason},
    process::{Process, Since},
};

/// The age from which on a process is shown, in seconds.
const MIN_AGE_SECONDS: f64 = 1.0;

/// The young processes of a sweep.
#[derive(Debug, Default)]
pub struct NewProcesses {
    /// Themselves.
    pub processes: Vec<Process>,
}

impl NewProcesses {
    /// Takes those that began after the sweep before and less than a moment ago. At the first sweep there are none.
    pub fn extract(processes: &mut Vec<Process>, uptime_centis: Option<u64>, ticks_per_second: f64) -> NewProcesses {
        let Some(uptime) = uptime_centis else { return NewProcesses::default() };
        let is_new = |process: &mut Process| {
            let age = uptime as f64 / 100.0 - process.key.start_time as f64 / ticks_per_second;
            matches!(process.since, Since::Birth(_)) && age < MIN_AGE_SECONDS
        };
        NewProcesses { processes: processes.extract_if(.., is_new).collect() }
    }

    /// How many of them a second are below each of the processes that are shown, and next to it, over the time since the sweep before.
    pub fn per_second(&self, shown: &[Process], elapsed: Option<Duration>) -> Vec<Measured> {
        let Some(seconds) = elapsed.map(|elapsed| elapsed.as_secs_f64()).filter(|seconds| *seconds > 0.0) else {
            return vec![Err(Reason::FirstSweep); shown.len()];
        };
        let by_pid: HashMap<u32, usize> = shown.iter().enumerate().map(|(at, process)| (process.key.pid, at)).collect();
        let parents: HashMap<u32, u32> =
            self.processes.iter().map(|process| (process.key.pid, process.parent)).collect();
        let mut counts = BTreeMap::<usize, u32>::new();
        for process in &self.processes {
            let mut above = process.parent;
            // A chain of parents is no longer than there are young ones.
            for _ in 0..self.processes.len() {
                match parents.get(&above) {
                    Some(parent) if !by_pid.contains_key(&above) => above = *parent,
                    _ => break,
                }
            }
            if let Some(ancestor) = by_pid.get(&above) {
                *counts.entry(*ancestor).or_default() += 1;
            }
        }
        (0..shown.len()).map(|at| Ok(f64::from(counts.get(&at).copied().unwrap_or(0)) / seconds)).collect()
    }
}
