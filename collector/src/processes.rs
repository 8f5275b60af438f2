//! Processes of a sweep.
//!
//! The files of a process that has not run are not read in every sweep (`docs/decisions/009`): a
//! sixteenth of the processes is read completely in each sweep, and the identity of one in 64.
//! [`new_processes`](super::new_processes) has the processes that are too young to be shown.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use hostread::{HostReadError, ProcRoot, ProcessKey, Seen, Vantage, parse, process::OpenProcess};

use crate::{
    coverage::CoverageBuilder,
    files::{FileTable, SweepTime},
    measure::{Measured, Reason},
    new_processes::NewProcesses,
    own_programs::OwnPrograms,
    process::{self, Process, Reread, Since},
    process_cache::ProcessInfoCache,
};

/// Processes of a sweep, and the sockets of those that are not shown.
#[derive(Default)]
pub struct Processes {
    /// Processes to show.
    pub shown: Vec<Process>,
    /// Processes that have just started.
    pub new_processes: NewProcesses,
    /// Number of Local Detective's own processes.
    pub n_own: usize,
    /// Inodes of the sockets of Local Detective's own processes.
    pub own_sockets: HashSet<u64>,
    // Time since the previous sweep.
    elapsed: Option<Duration>,
}

/// Time of a sweep, and where it reads from.
pub struct SweepContext<'s> {
    /// Root of `/proc`.
    pub root: &'s ProcRoot,
    /// Namespaces and mounts of this process.
    pub vantage: &'s Vantage,
    /// Start of the sweep.
    pub began: SweepTime,
    /// Time from boot to the start, in hundredths of a second.
    pub uptime_centis: Option<u64>,
    /// Sequence number of the sweep in this run.
    pub sequence: i64,
    /// Whether to read the files of all processes.
    pub reread: bool,
}

/// State of processes kept between sweeps.
pub struct History {
    /// Identities.
    pub info_cache: ProcessInfoCache,
    own_programs: OwnPrograms,
    ticks_per_second: f64,
    // Processes of the previous sweep.
    processes: HashMap<ProcessKey, Process>,
    last: Option<Last>,
}

/// Time of the previous sweep.
struct Last {
    at: Instant,
    uptime_centis: Option<u64>,
}

/// Each process is read completely in one of this many sweeps, a different share of the processes
/// in each.
const FILES_REREAD_SWEEPS: u64 = 16;
/// The identity of each process is read again in one of this many sweeps.
const INFO_REREAD_SWEEPS: u64 = 64;

impl History {
    /// Returns an empty history.
    pub fn new(info_cache: ProcessInfoCache, own_programs: OwnPrograms, ticks_per_second: f64) -> History {
        History { info_cache, own_programs, ticks_per_second, processes: HashMap::new(), last: None }
    }

    /// Reads all processes except kernel threads and Local Detective's own.
    ///
    /// # Errors
    /// If the list of processes is unreadable.
    pub fn read(
        &mut self,
        context: &SweepContext<'_>,
        files: &mut FileTable,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> Result<Processes, HostReadError> {
        self.info_cache.begin_sweep(context.uptime_centis);
        self.own_programs.begin_sweep();
        let mut processes = Processes::default();
        let mut pids = context.root.pids()?;
        let is_read = |process: &&Process| !process.is_idle || context.reread(process.key.pid) > Reread::Nothing;
        let read = self.processes.values().filter(is_read);
        files.begin_sweep(context.began, read.filter_map(Process::descriptor_count));
        pids.sort_unstable();
        for pid in pids {
            let seen = match OpenProcess::open(context.root, pid, buffer) {
                Seen::Here(Some(opened)) => {
                    let before = self.processes.remove(&opened.key).ok_or_else(|| self.since(&opened.key));
                    let reread = context.reread(pid);
                    let info = self.info_cache.get(&opened, reread, buffer);
                    let is_self = context.vantage.own_pid == Some(pid);
                    if self.own_programs.contains(&opened, &info, context.root, buffer) || is_self {
                        processes.n_own += 1;
                        processes.own_sockets.extend(files.sockets(&opened.directory, buffer));
                        continue;
                    }
                    process::read(opened, info, before, reread, files, buffer)
                }
                Seen::Here(None) => continue,
                other => other.and_then(|_| Seen::Gone),
            };
            coverage.add_seen("process", &seen);
            if let Seen::Here(process) = seen {
                coverage.add_process(&process);
                processes.shown.push(process);
            }
        }
        coverage.add("own-process", Reason::Off, processes.n_own);
        processes.elapsed = self.last.as_ref().map(|last| context.began.monotonic.duration_since(last.at));
        processes.new_processes =
            NewProcesses::extract(&mut processes.shown, context.uptime_centis, self.ticks_per_second);
        Ok(processes)
    }

    /// Returns what the counters of a process that the previous sweep did not see are compared
    /// with.
    fn since(&self, key: &ProcessKey) -> Since {
        let Some(last) = &self.last else { return Since::Unknown };
        let began = key.start_time as f64 / self.ticks_per_second * 100.0;
        // Both times are truncated to hundredths. A process that started earlier existed in the
        // previous sweep, which could not read it.
        let is_new = last.uptime_centis.is_some_and(|uptime| began + 1.0 >= uptime as f64);
        if is_new { Since::Birth(last.at) } else { Since::Unknown }
    }

    /// Ends a sweep and keeps its processes for comparison in the next one.
    pub fn end_sweep(&mut self, processes: Processes, at: Instant, uptime_centis: Option<u64>) {
        self.info_cache.end_sweep();
        self.last = Some(Last { at, uptime_centis });
        let seen = processes.shown.into_iter().chain(processes.new_processes.processes);
        self.processes = seen.map(|process| (process.key, process)).collect();
    }
}

impl SweepContext<'_> {
    /// Returns what to read again of a process in this sweep.
    fn reread(&self, pid: u32) -> Reread {
        let phase = self.sequence.cast_unsigned().wrapping_add(pid.into());
        if phase.is_multiple_of(INFO_REREAD_SWEEPS) {
            return Reread::FilesAndInfo;
        }
        let files = self.reread || phase.is_multiple_of(FILES_REREAD_SWEEPS);
        if files { Reread::Files } else { Reread::Nothing }
    }
}

impl Processes {
    /// Returns, for each process that is shown, the new processes per second below it.
    pub fn new_process_rates(&self) -> Vec<Measured> {
        self.new_processes.per_second(&self.shown, self.elapsed)
    }

    /// Returns the number of tasks that a `proc` with `hidepid` does not list. Kernel threads are
    /// included.
    pub fn hidden_tasks(&self, root: &ProcRoot, vantage: &Vantage, buffer: &mut Vec<u8>) -> usize {
        if !vantage.hides_processes {
            return 0;
        }
        let tasks = root.directory.read_page("loadavg", buffer).here().and_then(parse::system::parse_task_count);
        let seen: u64 = self.shown.iter().chain(&self.new_processes.processes).map(|process| process.threads).sum();
        usize::try_from(tasks.unwrap_or(0).saturating_sub(seen)).unwrap_or(usize::MAX).max(1)
    }
}
