//! Processes that have just started.
//!
//! Most of them, such as the commands of a shell or the passes of a compiler, exit before the next
//! sweep. As nodes without history they would be noise. They are counted on the nearest ancestor
//! that is shown; those that live longer are shown in the next sweep.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::{
    measure::{Measured, Reason},
    process::{Process, Since},
};

/// Minimum age of a process that is shown, in seconds.
const MIN_AGE_SECONDS: f64 = 1.0;

/// Processes of a sweep that have just started.
#[derive(Debug, Default)]
pub struct NewProcesses {
    /// Processes younger than the minimum age.
    pub processes: Vec<Process>,
}

impl NewProcesses {
    /// Removes from `processes` those that started after the previous sweep and are younger than
    /// the minimum age. The first sweep has none.
    pub fn extract(processes: &mut Vec<Process>, uptime_centis: Option<u64>, ticks_per_second: f64) -> NewProcesses {
        let Some(uptime) = uptime_centis else { return NewProcesses::default() };
        let is_new = |process: &mut Process| {
            let age = uptime as f64 / 100.0 - process.key.start_time as f64 / ticks_per_second;
            matches!(process.since, Since::Birth(_)) && age < MIN_AGE_SECONDS
        };
        NewProcesses { processes: processes.extract_if(.., is_new).collect() }
    }

    /// Returns, for each of the processes that are shown, the new processes per second of which it
    /// is the nearest shown ancestor, over the time since the previous sweep.
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
            // A chain of parents has at most as many members as there are new processes.
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
