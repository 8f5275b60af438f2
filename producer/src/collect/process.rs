//! One process, read once.

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
pub use info::{LONGEST_ARGUMENTS, ProcessInfo, has_same_cgroups};

use crate::collect::files::{FileTable, Handles};

/// How much of a process that was seen before, and has not run since, is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reread {
    /// Nothing but what tells that.
    Nothing,
    /// Everything that changes by itself or is set from outside: its files, limits and control groups.
    Files,
    /// What it is, too: its executable, arguments, container and network namespace.
    All,
}

/// A process as one sweep saw it.
#[derive(Debug)]
pub struct Process {
    /// Which.
    pub key: ProcessKey,
    /// The parent's process id.
    pub parent: u32,
    /// One letter, as in `stat`.
    pub state: u8,
    /// Threads.
    pub threads: u64,
    /// What only grows.
    pub counters: Counters,
    /// Since when that is counted.
    pub since: Since,
    /// Memory.
    pub memory: Seen<MemoryPages>,
    /// What its memory is compared with.
    pub growth: Growth,
    /// What it may have.
    pub limits: ProcessLimits,
    /// Open files.
    pub handles: Seen<Handles>,
    /// Whether none of its threads has run since the sweep before.
    pub is_idle: bool,
    /// Whether it wrote anything in the sweep before, or may have.
    pub wrote_before: bool,
    /// Where its main thread is in the kernel; none if it runs.
    pub syscall: Seen<Option<Syscall>>,
    /// What is read once.
    pub info: Arc<ProcessInfo>,
}

/// What a process does, which cannot have changed unless it has run.
struct Activity {
    handles: Seen<Handles>,
    syscall: Seen<Option<Syscall>>,
    io: Seen<IoCounters>,
}

impl Activity {
    /// Reads it. `numbers` are the descriptors that were open before.
    fn read(process: &OpenProcess, numbers: &[u32], files: &mut FileTable, buffer: &mut Vec<u8>) -> Activity {
        let syscall = process.syscall(buffer);
        // A zombie has closed all its files; asking for them would be refused as if rights were missing.
        let handles = match process.is_zombie() {
            true => Seen::Here(Handles::default()),
            false => files.handles(&process.directory, numbers, buffer),
        };
        Activity { handles, syscall, io: process.io(buffer) }
    }

    /// Whether all of it was read, or refused. Anything else failed in passing and is read again.
    fn is_settled(&self) -> bool {
        self.handles.is_settled() && self.syscall.is_settled() && self.io.is_settled()
    }
}

/// Reads the rest of a process. `Gone` if it ended meanwhile. Of one that was seen `before` what cannot have changed is taken from there,
/// unless it is to be read again.
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
    let is_idle = before.as_ref().is_ok_and(|before| has_rested(&process, schedule, before));
    let wrote_before = before.as_ref().is_ok_and(Process::has_written);
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
        wrote_before,
        syscall: activity.syscall,
        info,
    };
    read.unless_gone(&process.directory, buffer)
}

/// Whether its only thread, or one of several that were all stopped, has not been on a CPU since: then it has opened, read and
/// called nothing.
fn has_rested(process: &OpenProcess, schedule: Seen<Schedstat>, before: &Process) -> bool {
    let is_single = process.threads == 1 && before.threads == 1;
    (is_single || process.state == b'T')
        && process.state != b'R'
        && matches!(schedule, Seen::Here(_))
        && schedule == before.counters.schedule
        && process.state == before.state
}

impl Process {
    /// Whether it can have written by calls what a file has grown by from one sweep to the next. What it writes is asked after what its files
    /// take: what it wrote in between was told in the sweep before.
    pub fn may_have_written(&self) -> bool {
        self.wrote_before || self.has_written()
    }

    /// Whether it has written by calls, to whatever, since the sweep before or since it began; true too if that may not be seen.
    fn has_written(&self) -> bool {
        let before = match &self.since {
            Since::Last(before) => before.io.map(|io| io.written_bytes),
            Since::Birth(_) => Seen::Here(0),
            Since::Unknown => Seen::Unsupported,
        };
        let now = self.counters.io.map(|io| io.written_bytes);
        now.here().zip(before.here()).is_none_or(|(now, before)| now > before)
    }

    /// Whether it keeps to itself what it has open or what it waits for.
    pub fn is_opaque(&self) -> bool {
        let handles_denied = match &self.handles {
            Seen::Here(handles) => handles.denied,
            handles => matches!(handles, Seen::Denied),
        };
        handles_denied || self.syscall == Seen::Denied
    }

    /// A file that is not there can mean that the process is not, or that this kernel has no such file.
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
        counters.schedule = missing_here(counters.schedule);
        counters.io = missing_here(counters.io);
        self.memory = missing_here(self.memory);
        self.syscall = missing_here(self.syscall);
        self.handles = missing_here(self.handles);
        Seen::Here(self)
    }
}

fn missing_here<T>(seen: Seen<T>) -> Seen<T> {
    if matches!(seen, Seen::Gone) { Seen::Unsupported } else { seen }
}
