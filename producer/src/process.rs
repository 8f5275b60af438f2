//! One process, read once.

mod about;

use std::{sync::Arc, time::Instant};

pub use about::{About, LONGEST_ARGUMENTS};

use crate::{
    files::{FileTable, Handles},
    parse::{
        self,
        process::{Io, Schedule},
        syscall::Syscall,
    },
    rates::{Growth, Since},
    read::{Directory, ProcRoot, Seen},
};

/// What tells a process from every other since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Clock ticks after boot; an id that is used again has a later one.
    pub start_time: u64,
}

/// Amounts that only grow, as read.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// When `stat` was read.
    pub at: Instant,
    /// Clock ticks on a CPU in user mode.
    pub user_ticks: u64,
    /// Clock ticks on a CPU in kernel mode.
    pub system_ticks: u64,
    /// Clock ticks on a CPU of children that have exited.
    pub children_ticks: u64,
    /// Page faults that took no I/O.
    pub minor_faults: u64,
    /// The same of children that have exited.
    pub children_faults: u64,
    /// Page faults that took I/O.
    pub major_faults: u64,
    /// Clock ticks that the main thread waited for block I/O.
    pub block_delay_ticks: Seen<u64>,
    /// How the main thread was scheduled.
    pub schedule: Seen<Schedule>,
    /// What was read and written.
    pub io: Seen<Io>,
}

/// Memory, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In use.
    pub resident: u64,
    /// Of that, its own alone.
    pub private: u64,
}

/// What changes so rarely that it is read in some sweeps only.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many files it may have open; none if as many as it wants.
    pub open_files: Seen<Option<u64>>,
    /// How soon the kernel would end it for want of memory.
    pub oom_score: Seen<u64>,
}

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
    pub identity: Identity,
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
    pub memory: Seen<Memory>,
    /// What its memory is compared with.
    pub growth: Growth,
    /// What it may have.
    pub limits: Limits,
    /// Open files.
    pub handles: Seen<Handles>,
    /// Whether none of its threads has run since the sweep before.
    pub rested: bool,
    /// Whether it wrote anything in the sweep before, or may have.
    pub wrote_before: bool,
    /// Where its main thread is in the kernel; none if it runs.
    pub syscall: Seen<Option<Syscall>>,
    /// What is read once.
    pub about: Arc<About>,
}

/// The part of `stat` that decides whether to go on.
pub struct Opened {
    /// Which.
    pub identity: Identity,
    /// The name it gives itself.
    pub comm: String,
    parent: u32,
    state: u8,
    threads: u64,
    counters: Counters,
    // Whether it has this number for this process too.
    is_own_number: bool,
    // Held open: once this process dies, reads through it fail, even if the kernel hands its number to another.
    directory: Directory,
}

/// Opens a process and reads its `stat`; `Here(None)` is a thread of the kernel's.
pub fn open(root: &ProcRoot, pid: u32, buffer: &mut Vec<u8>) -> Seen<Option<Opened>> {
    root.directory.enter(rustix::path::DecInt::new(pid).as_str()).and_then(|directory| {
        let stat = directory.read_small("stat", buffer);
        let at = root.tape.monotonic();
        stat.and_then(|line| {
            let Some(stat) = parse::stat::parse(line) else { return Seen::Unsupported };
            if stat.is_kernel_thread() {
                return Seen::Here(None);
            }
            Seen::Here(Some(Opened {
                identity: Identity { pid, start_time: stat.start_time },
                comm: parse::text(stat.comm),
                parent: stat.parent,
                state: stat.state,
                threads: stat.threads,
                counters: Counters {
                    at,
                    user_ticks: stat.user_ticks,
                    system_ticks: stat.system_ticks,
                    children_ticks: stat.children_ticks,
                    minor_faults: stat.minor_faults,
                    children_faults: stat.children_faults,
                    major_faults: stat.major_faults,
                    block_delay_ticks: stat.block_delay_ticks.map_or(Seen::Unsupported, Seen::Here),
                    schedule: Seen::Unsupported,
                    io: Seen::Unsupported,
                },
                is_own_number: root.is_own,
                directory,
            }))
        })
    })
}

/// The directory of a process that was seen before, if it is still the same process.
pub fn reopen(root: &ProcRoot, identity: Identity, buffer: &mut Vec<u8>) -> Seen<Directory> {
    open(root, identity.pid, buffer).and_then(|opened| match opened {
        Some(opened) if opened.identity == identity => Seen::Here(opened.directory),
        _ => Seen::Gone,
    })
}

impl Opened {
    /// Reads the rest. `Gone` if the process ended meanwhile. Of one that was seen `before` what cannot have changed is taken from there,
    /// unless it is to be read again.
    pub fn read(
        mut self,
        about: Arc<About>,
        before: Result<Process, Since>,
        reread: Reread,
        files: &mut FileTable,
        buffer: &mut Vec<u8>,
    ) -> Seen<Process> {
        let directory = &self.directory;
        let memory = parsed(directory.read_small("statm", buffer), parse::process::statm);
        self.counters.schedule = parsed(directory.read_small("schedstat", buffer), parse::process::schedule);
        let now = self.counters.at;
        let wrote_before = before.as_ref().is_ok_and(Process::wrote);
        let (since, growth, limits, earlier, rested) = match before {
            Ok(before) => {
                let growth = before.growth.next(before.counters.at, before.memory, now);
                let rested = self.has_rested_since(&before);
                // What failed in passing is asked again.
                let was_read =
                    before.handles.is_settled() && before.syscall.is_settled() && before.counters.io.is_settled();
                let earlier = (before.handles, before.syscall, rested && was_read && reread == Reread::Nothing);
                (Since::Last(before.counters), growth, Some(before.limits), Some(earlier), rested)
            }
            Err(since) => (since, Growth::default(), None, None, false),
        };
        let (handles, syscall) = match earlier {
            Some((handles, syscall, true)) => {
                if let Since::Last(before) = &since {
                    self.counters.io = before.io;
                }
                if let Seen::Here(handles) = &handles {
                    files.keep(handles);
                }
                (handles, syscall)
            }
            earlier => {
                let syscall = directory.read_small("syscall", buffer).map(parse::syscall::parse);
                let numbers = earlier.and_then(|(handles, ..)| handles.here()).unwrap_or_default().numbers;
                let handles = self.handles(&numbers, files, buffer);
                self.counters.io = parsed(directory.read_small("io", buffer), parse::process::io);
                (handles, syscall)
            }
        };
        let limits = limits.filter(|_| reread == Reread::Nothing).unwrap_or_else(|| self.limits(buffer));
        let process = Process {
            identity: self.identity,
            parent: self.parent,
            state: self.state,
            threads: self.threads,
            counters: self.counters,
            since,
            memory,
            growth,
            limits,
            handles,
            rested,
            wrote_before,
            syscall,
            about,
        };
        process.unless_gone(&self.directory, buffer)
    }

    /// Whether its only thread, or one of several that were all stopped, has not been on a CPU since: then it has opened, read and
    /// called nothing.
    fn has_rested_since(&self, before: &Process) -> bool {
        let is_single = self.threads == 1 && before.threads == 1;
        let schedule = self.counters.schedule;
        (is_single || self.state == b'T')
            && self.state != b'R'
            && matches!(schedule, Seen::Here(_))
            && schedule == before.counters.schedule
            && self.state == before.state
    }

    /// Whether it has ended, and nothing can be read of it any more but that.
    pub fn is_zombie(&self) -> bool {
        self.state == b'Z'
    }

    fn handles(&self, earlier: &[u32], files: &mut FileTable, buffer: &mut Vec<u8>) -> Seen<Handles> {
        // A zombie has closed all its files; asking for them would be refused as if rights were missing.
        if self.is_zombie() { Seen::Here(Handles::default()) } else { files.handles(&self.directory, earlier, buffer) }
    }

    fn limits(&self, buffer: &mut Vec<u8>) -> Limits {
        let asked = if self.is_own_number { self.directory.open_files_limit(self.identity.pid) } else { Seen::Denied };
        let open_files = match asked {
            Seen::Here(limit) => Seen::Here(Some(limit).filter(|limit| *limit != u64::MAX)),
            Seen::Gone => Seen::Gone,
            // Everybody may read the file, which costs more.
            _ => self.directory.read_small("limits", buffer).map(parse::process::open_files_limit),
        };
        let oom_score = parsed(self.directory.read_small("oom_score", buffer), |text| parse::number(text.trim_ascii()));
        // Whose directory still tells something is still there, so that the number was its own. Else it can be another's by now.
        let open_files = if asked.here().is_some() && oom_score == Seen::Gone { Seen::Gone } else { open_files };
        Limits { open_files, oom_score }
    }

    /// The inodes of its sockets alone; for a process that is not to be shown.
    pub fn sockets(&self, files: &mut FileTable, buffer: &mut Vec<u8>) -> Vec<u64> {
        files.sockets(&self.directory, buffer)
    }
}

impl Process {
    /// Whether it can have written by calls what a file has grown by from one sweep to the next. What it writes is asked after what its files
    /// take: what it wrote in between was told in the sweep before.
    pub fn can_have_written(&self) -> bool {
        self.wrote_before || self.wrote()
    }

    /// Whether it has written by calls, to whatever, since the sweep before or since it began; true too if that may not be seen.
    fn wrote(&self) -> bool {
        let before = match &self.since {
            Since::Last(before) => before.io.map(|io| io.written),
            Since::Birth(_) => Seen::Here(0),
            Since::Unknown => Seen::Unsupported,
        };
        let now = self.counters.io.map(|io| io.written);
        now.here().zip(before.here()).is_none_or(|(now, before)| now > before)
    }

    /// Whether it keeps to itself what it has open or what it waits for.
    pub fn is_closed(&self) -> bool {
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
        if directory.read_small("stat", buffer) == Seen::Gone {
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

fn parsed<T>(seen: Seen<&[u8]>, parse: impl FnOnce(&[u8]) -> Option<T>) -> Seen<T> {
    seen.and_then(|text| parse(text).map_or(Seen::Unsupported, Seen::Here))
}
