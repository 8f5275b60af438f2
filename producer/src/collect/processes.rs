//! The processes of a sweep.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use hostread::{HostReadError, ProcRoot, ProcessKey, Seen, Vantage, parse, process::OpenProcess};

use crate::collect::{
    coverage::CoverageBuilder,
    files::{FileTable, SweepTime},
    measure::Measured,
    new_processes::NewProcesses,
    process::{self, Process, Reread, Since},
    process_cache::ProcessInfoCache,
};

/// The processes of a sweep, and the sockets of those that are not shown.
#[derive(Default)]
pub struct Processes {
    /// Those that are shown.
    pub shown: Vec<Process>,
    /// Those that have only begun.
    pub new_processes: NewProcesses,
    /// Sockets of Local Detective's own, by inode.
    pub own_sockets: HashSet<u64>,
    // Seconds since the sweep before.
    elapsed: Option<Duration>,
}

/// When and from where a sweep reads processes.
pub struct SweepContext<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// Where this process is.
    pub vantage: &'s Vantage,
    /// When the sweep began.
    pub began: SweepTime,
    /// Hundredths of a second from boot to then.
    pub uptime_centis: Option<u64>,
    /// Its number in this run.
    pub sequence: i64,
    /// Whether the files of all processes are read again.
    pub reread: bool,
}

/// What is kept of processes from sweep to sweep.
pub struct History {
    /// What they are.
    pub info_cache: ProcessInfoCache,
    ticks_per_second: f64,
    // The processes of the sweep before.
    processes: HashMap<ProcessKey, Process>,
    last: Option<Last>,
}

/// The sweep before.
struct Last {
    at: Instant,
    uptime_centis: Option<u64>,
}

/// What does not change often is read again after so many sweeps, a part of the processes in each.
const FILES_REREAD_SWEEPS: u64 = 16;
/// The same for what a process is, which hardly ever changes.
const INFO_REREAD_SWEEPS: u64 = 64;

impl History {
    /// Nothing yet.
    pub fn new(info_cache: ProcessInfoCache, ticks_per_second: f64) -> History {
        History { info_cache, ticks_per_second, processes: HashMap::new(), last: None }
    }

    /// Reads all processes but kernel threads and Local Detective's own.
    ///
    /// # Errors
    /// If there are none.
    pub fn read(
        &mut self,
        context: &SweepContext<'_>,
        files: &mut FileTable,
        coverage: &mut CoverageBuilder,
        buffer: &mut Vec<u8>,
    ) -> Result<Processes, HostReadError> {
        self.info_cache.begin_sweep(context.uptime_centis);
        let mut processes = Processes::default();
        let mut pids = context.root.pids()?;
        files.begin_sweep(context.began);
        pids.sort_unstable();
        for pid in pids {
            let seen = match OpenProcess::open(context.root, pid, buffer) {
                Seen::Here(Some(opened)) => {
                    let before = self.processes.remove(&opened.key).ok_or_else(|| self.since(&opened.key));
                    let reread = context.reread(pid);
                    let info = self.info_cache.get(&opened, reread, buffer);
                    if context.vantage.own_pid == Some(pid) || info.is_own_program() {
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
        processes.elapsed = self.last.as_ref().map(|last| context.began.monotonic.duration_since(last.at));
        processes.new_processes =
            NewProcesses::extract(&mut processes.shown, context.uptime_centis, self.ticks_per_second);
        Ok(processes)
    }

    /// Since when the amounts of a process count that the sweep before did not see.
    fn since(&self, key: &ProcessKey) -> Since {
        let Some(last) = &self.last else { return Since::Unknown };
        let began = key.start_time as f64 / self.ticks_per_second * 100.0;
        // Both clocks are cut to hundredths. One that began earlier was there and was missed, refused for instance.
        let is_new = last.uptime_centis.is_some_and(|uptime| began + 1.0 >= uptime as f64);
        if is_new { Since::Birth(last.at) } else { Since::Unknown }
    }

    /// Keeps the processes of a sweep for the next one.
    pub fn end_sweep(&mut self, processes: Processes, at: Instant, uptime_centis: Option<u64>) {
        self.info_cache.end_sweep();
        self.last = Some(Last { at, uptime_centis });
        let seen = processes.shown.into_iter().chain(processes.new_processes.processes);
        self.processes = seen.map(|process| (process.key, process)).collect();
    }
}

impl SweepContext<'_> {
    /// What is read again of a process in this sweep.
    fn reread(&self, pid: u32) -> Reread {
        let turn = self.sequence.cast_unsigned().wrapping_add(pid.into());
        if turn.is_multiple_of(INFO_REREAD_SWEEPS) {
            return Reread::All;
        }
        let files = self.reread || turn.is_multiple_of(FILES_REREAD_SWEEPS);
        if files { Reread::Files } else { Reread::Nothing }
    }
}

impl Processes {
    /// How many new processes a second there are below each of those that are shown.
    pub fn new_process_rates(&self) -> Vec<Measured> {
        self.new_processes.per_second(&self.shown, self.elapsed)
    }

    /// How many of the host's tasks a `proc` that hides others' processes does not list; kernel threads are among them.
    pub fn hidden_tasks(&self, root: &ProcRoot, vantage: &Vantage, buffer: &mut Vec<u8>) -> usize {
        if !vantage.hides_processes {
            return 0;
        }
        let tasks = root.directory.read_page("loadavg", buffer).here().and_then(parse::system::parse_task_count);
        let seen: u64 = self.shown.iter().chain(&self.new_processes.processes).map(|process| process.threads).sum();
        usize::try_from(tasks.unwrap_or(0).saturating_sub(seen)).unwrap_or(usize::MAX).max(1)
    }
}
