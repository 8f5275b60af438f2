//! A process as read by one sweep.

mod counters;
mod history;
mod info;

use std::sync::Arc;

use hostread::{
    Directory, ProcessKey, Seen,
    parse::{
        process::{IoCounters, MemoryPages, Schedstat},
        syscall::Syscall,
    },
    process::{OpenProcess, ProcessLimits},
};

pub use counters::Counters;
pub use history::{Growth, Since};
pub use info::{MAX_ARGUMENT_BYTES, ProcessInfo, has_same_cgroups};

use crate::files::{FileTable, Handles};

/// What to read again of a process that an earlier sweep has read and that has not run since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reread {
    /// Only what shows whether it has run: `stat`, `statm` and `schedstat`.
    Nothing,
    /// Also what other processes can change: open files, limits and control groups.
    Files,
    /// Also its identity: executable, arguments, container and network namespace.
    FilesAndInfo,
}

/// A process as one sweep read it.
#[derive(Debug)]
pub struct Process {
    /// Pid and start time.
    pub key: ProcessKey,
    /// Pid of the parent.
    pub parent: u32,
    /// State letter of `stat`.
    pub state: u8,
    /// Number of threads.
    pub threads: u64,
    /// Counters that only increase.
    pub counters: Counters,
    /// What the counters are compared with.
    pub since: Since,
    /// Resident and private memory.
    pub memory: Seen<MemoryPages>,
    /// Earlier private memory, to compute its growth.
    pub growth: Growth,
    /// Limits and OOM score.
    pub limits: ProcessLimits,
    /// The files that the process has open, sockets and pipes included.
    pub handles: Seen<Handles>,
    /// Whether none of its threads has run since the previous sweep.
    pub is_idle: bool,
    /// Whether it wrote in the previous sweep, or may have.
    pub had_written: bool,
    /// System call that its main thread is in; `None` if it runs.
    pub syscall: Seen<Option<Syscall>>,
    /// Identity, which is rarely read again.
    pub info: Arc<ProcessInfo>,
}

/// Activity of a process, which cannot change unless the process runs.
struct Activity {
    handles: Seen<Handles>,
    syscall: Seen<Option<Syscall>>,
    io: Seen<IoCounters>,
}

impl Activity {
    /// Reads the activity. `numbers` are the descriptors that were open in the previous sweep.
    fn read(process: &OpenProcess, numbers: &[u32], files: &mut FileTable, buffer: &mut Vec<u8>) -> Activity {
        let syscall = process.syscall(buffer);
        // A zombie has closed all files; reading them would fail as if permission were missing.
        let handles = match process.is_zombie() {
            true => Seen::Here(Handles::default()),
            false => files.handles(&process.directory, numbers, buffer),
        };
        Activity { handles, syscall, io: process.io(buffer) }
    }

    /// Returns whether each value was read or denied. Any other failure is temporary.
    fn is_settled(&self) -> bool {
        self.handles.is_settled() && self.syscall.is_settled() && self.io.is_settled()
    }
}

/// Reads a process that has been opened. Returns `Gone` if it exits meanwhile. If `before` is its
/// state in the previous sweep and it has not run since, what cannot have changed is reused, unless
/// `reread` demands otherwise.
pub fn read(
    process: OpenProcess,
    info: Arc<ProcessInfo>,
    before: Result<Process, Since>,
    reread: Reread,
    files: &mut FileTable,
    buffer: &mut Vec<u8>,
) -> Seen<Process> {
    let memory = process.memory(buffer);
    let schedule = process.schedule(buffer);
    let at = process.read_at;
    let is_idle = before.as_ref().is_ok_and(|before| has_not_run(&process, schedule, before));
    let had_written = before.as_ref().is_ok_and(Process::has_written);
    let (since, growth, limits, earlier) = match before {
        Ok(before) => {
            let growth = before.growth.next(before.counters.at, before.memory, at);
            let earlier = Activity { handles: before.handles, syscall: before.syscall, io: before.counters.io };
            (Since::Last(before.counters), growth, Some(before.limits), Some(earlier))
        }
        Err(since) => (since, Growth::default(), None, None),
    };
    let is_unchanged = is_idle && reread == Reread::Nothing;
    let activity = match earlier {
        Some(earlier) if is_unchanged && earlier.is_settled() => {
            if let Seen::Here(handles) = &earlier.handles {
                files.keep(handles);
            }
            earlier
        }
        earlier => {
            let numbers = earlier.and_then(|earlier| earlier.handles.here()).unwrap_or_default().numbers;
            Activity::read(&process, &numbers, files, buffer)
        }
    };
    let limits = limits.filter(|_| reread == Reread::Nothing).unwrap_or_else(|| process.limits(buffer));
    let read = Process {
        key: process.key,
        parent: process.parent,
        state: process.state,
        threads: process.threads,
        counters: Counters { at, stat: process.counters, schedule, io: activity.io },
        since,
        memory,
        growth,
        limits,
        handles: activity.handles,
        is_idle,
        had_written,
        syscall: activity.syscall,
        info,
    };
    read.unless_gone(&process.directory, buffer)
}

/// Returns whether the process has not run since: its only thread, or several that were all
/// stopped, got no CPU. Then it has not opened, read or called anything.
fn has_not_run(process: &OpenProcess, schedule: Seen<Schedstat>, before: &Process) -> bool {
    let is_single = process.threads == 1 && before.threads == 1;
    (is_single || process.state == b'T')
        && process.state != b'R'
        && matches!(schedule, Seen::Here(_))
        && schedule == before.counters.schedule
        && process.state == before.state
}

impl Process {
    /// Returns whether the process may have caused the growth of a file between two sweeps by
    /// system calls. Its write counter is read after the allocation of its files, so writes in
    /// between were counted in the previous sweep.
    pub fn may_have_written(&self) -> bool {
        self.had_written || self.has_written()
    }

    /// Returns whether the process has written by system calls, to any target, since the previous
    /// sweep or since it started; true if that is unreadable.
    fn has_written(&self) -> bool {
        let before = match &self.since {
            Since::Last(before) => before.io.map(|io| io.written_bytes),
            Since::Birth(_) => Seen::Here(0),
            Since::Unknown => Seen::Unsupported,
        };
        let now = self.counters.io.map(|io| io.written_bytes);
        now.here().zip(before.here()).is_none_or(|(now, before)| now > before)
    }

    /// Returns the number of its descriptors, if readable.
    pub fn descriptor_count(&self) -> Option<usize> {
        self.handles.as_ref().here().map(|handles| handles.total)
    }

    /// Returns whether some of its descriptors were not read because it has too many.
    pub fn has_left_out_descriptors(&self) -> bool {
        self.handles.as_ref().here().is_some_and(|handles| handles.left_out() > 0)
    }

    /// Returns whether its open files or its system call are unreadable.
    pub fn is_opaque(&self) -> bool {
        let handles_denied = match &self.handles {
            Seen::Here(handles) => handles.denied,
            handles => matches!(handles, Seen::Denied),
        };
        handles_denied || self.syscall == Seen::Denied
    }

    /// Returns `Gone` if the process has exited. A missing file can also mean that this kernel has
    /// no such file; then the value is unsupported.
    fn unless_gone(mut self, directory: &Directory, buffer: &mut Vec<u8>) -> Seen<Process> {
        let counters = &mut self.counters;
        let any_gone = counters.schedule == Seen::Gone
            || counters.io == Seen::Gone
            || self.memory == Seen::Gone
            || matches!(self.handles, Seen::Gone)
            || self.syscall == Seen::Gone;
        if !any_gone {
            return Seen::Here(self);
        }
        if directory.read_page("stat", buffer) == Seen::Gone {
            return Seen::Gone;
        }
        counters.schedule = gone_to_unsupported(counters.schedule);
        counters.io = gone_to_unsupported(counters.io);
        self.memory = gone_to_unsupported(self.memory);
        self.syscall = gone_to_unsupported(self.syscall);
        self.handles = gone_to_unsupported(self.handles);
        Seen::Here(self)
    }
}

fn gone_to_unsupported<T>(seen: Seen<T>) -> Seen<T> {
    if matches!(seen, Seen::Gone) { Seen::Unsupported } else { seen }
}
