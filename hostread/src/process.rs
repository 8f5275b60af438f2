//! One process: its directory below a `/proc` root, and the files in it.

use std::time::Instant;

use crate::{
    directory::Directory,
    parse::{
        self,
        process::{IoCounters, MemoryPages, Schedstat},
        syscall::Syscall,
    },
    proc_root::ProcRoot,
    seen::Seen,
};

/// Identifies a process uniquely since boot, even if its pid is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// Process id.
    pub pid: u32,
    /// Time from boot to the start of the process, in clock ticks.
    pub start_time: u64,
}

/// Counters of a process in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug)]
pub struct StatCounters {
    /// CPU time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// CPU time in kernel mode, in clock ticks.
    pub system_ticks: u64,
    /// CPU time of children that have exited and were waited for, in clock ticks.
    pub children_ticks: u64,
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults without I/O of children that have exited and were waited for.
    pub children_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// Time for which the main thread waited for block I/O, in clock ticks.
    pub block_delay_ticks: Seen<u64>,
}

/// The soft limit of open files and the OOM score of a process. Both change rarely.
#[derive(Clone, Copy, Debug)]
pub struct ProcessLimits {
    /// Soft limit of open files (`RLIMIT_NOFILE`). `None`: unlimited.
    pub open_files: Seen<Option<u64>>,
    /// `oom_score`: the higher, the sooner the OOM killer picks the process.
    pub oom_score: Seen<u64>,
}

/// A process whose `stat` was read and whose directory is open for further reads.
pub struct OpenProcess {
    /// Pid and start time of the process.
    pub key: ProcessKey,
    /// Name of the process (`comm`).
    pub comm: String,
    /// Process id of the parent.
    pub parent: u32,
    /// State letter of `stat`, such as `R` or `D`.
    pub state: u8,
    /// Number of threads.
    pub threads: u64,
    /// When `stat` was read.
    pub read_at: Instant,
    /// Counters of `stat`.
    pub counters: StatCounters,
    /// Directory of the process. Reads through it fail once the process is gone, even if its pid is
    /// reused.
    pub directory: Directory,
    // Whether system calls of this process accept its pid.
    is_own_pid_namespace: bool,
}

impl OpenProcess {
    /// Opens the process `pid` and reads its `stat`. `Here(None)`: it is a kernel thread.
    pub fn open(root: &ProcRoot, pid: u32, buffer: &mut Vec<u8>) -> Seen<Option<OpenProcess>> {
        root.directory.open_dir_for_lookup(rustix::path::DecInt::new(pid).as_str()).and_then(|directory| {
            let stat = directory.read_page("stat", buffer);
            let read_at = root.tape.monotonic_clock();
            stat.and_then(|line| {
                let Some(stat) = parse::stat::parse_stat(line) else { return Seen::Unsupported };
                if stat.is_kernel_thread() {
                    return Seen::Here(None);
                }
                Seen::Here(Some(OpenProcess {
                    key: ProcessKey { pid, start_time: stat.start_time },
                    comm: parse::text(stat.comm),
                    parent: stat.parent,
                    state: stat.state,
                    threads: stat.threads,
                    read_at,
                    counters: StatCounters {
                        user_ticks: stat.user_ticks,
                        system_ticks: stat.system_ticks,
                        children_ticks: stat.children_ticks,
                        minor_faults: stat.minor_faults,
                        children_faults: stat.children_faults,
                        major_faults: stat.major_faults,
                        block_delay_ticks: stat.block_delay_ticks.into(),
                    },
                    directory,
                    is_own_pid_namespace: root.is_own_pid_namespace,
                }))
            })
        })
    }

    /// Opens the directory of a process that was read before. `Gone` if it has exited, even if its
    /// pid is reused by now.
    pub fn reopen(root: &ProcRoot, key: ProcessKey, buffer: &mut Vec<u8>) -> Seen<Directory> {
        OpenProcess::open(root, key.pid, buffer).and_then(|process| match process {
            Some(process) if process.key == key => Seen::Here(process.directory),
            _ => Seen::Gone,
        })
    }

    /// Whether the process has exited and its parent has not waited for it yet.
    #[inline]
    pub fn is_zombie(&self) -> bool {
        self.state == b'Z'
    }

    /// Reads memory use from `statm`.
    pub fn memory(&self, buffer: &mut Vec<u8>) -> Seen<MemoryPages> {
        parsed(self.directory.read_page("statm", buffer), parse::process::parse_statm)
    }

    /// Reads how the main thread was scheduled from `schedstat`.
    pub fn schedule(&self, buffer: &mut Vec<u8>) -> Seen<Schedstat> {
        parsed(self.directory.read_page("schedstat", buffer), parse::process::parse_schedstat)
    }

    /// Reads I/O counters from `io`.
    pub fn io(&self, buffer: &mut Vec<u8>) -> Seen<IoCounters> {
        parsed(self.directory.read_page("io", buffer), parse::process::parse_io)
    }

    /// Reads `syscall` of the main thread. `Here(None)`: it is running, or blocked outside of a
    /// system call.
    pub fn syscall(&self, buffer: &mut Vec<u8>) -> Seen<Option<Syscall>> {
        self.directory.read_page("syscall", buffer).map(parse::syscall::parse_syscall)
    }

    /// Reads the limit of open files and the OOM score.
    pub fn limits(&self, buffer: &mut Vec<u8>) -> ProcessLimits {
        let by_pid =
            if self.is_own_pid_namespace { self.directory.open_files_limit(self.key.pid) } else { Seen::Denied };
        let open_files = match by_pid {
            Seen::Here(limit) => Seen::Here(Some(limit).filter(|limit| *limit != u64::MAX)),
            Seen::Gone => Seen::Gone,
            // All users may read the file, but it is slower.
            _ => self.directory.read_page("limits", buffer).map(parse::process::parse_open_files_limit),
        };
        let oom_score = parsed(self.directory.read_page("oom_score", buffer), |text| parse::number(text.trim_ascii()));
        // By pid, the limit may be that of a later process. `oom_score` shows whether this one
        // still exists.
        let open_files = if by_pid.here().is_some() && oom_score == Seen::Gone { Seen::Gone } else { open_files };
        ProcessLimits { open_files, oom_score }
    }
}

/// How often a task has been scheduled onto a CPU or, if the kernel does not count that, how often
/// it has given up the CPU voluntarily. As long as the count does not change, the task stays in one
/// wait.
pub fn times_scheduled(root: &ProcRoot, key: ProcessKey, task: u32, buffer: &mut Vec<u8>) -> Option<u64> {
    let directory = OpenProcess::reopen(root, key, buffer).here()?;
    let schedule = directory.read_page(&format!("task/{task}/schedstat"), buffer).here();
    if let Some(schedule) = schedule.and_then(parse::process::parse_schedstat) {
        return Some(schedule.timeslices);
    }
    let status = directory.read_page(&format!("task/{task}/status"), buffer).here()?;
    parse::process::parse_voluntary_switches(status)
}

fn parsed<T>(seen: Seen<&[u8]>, parse: impl FnOnce(&[u8]) -> Option<T>) -> Seen<T> {
    seen.and_then(|text| parse(text).into())
}
