//! One process, read once.

use std::{sync::Arc, time::Instant};

use crate::{
    arguments,
    columns::Reason,
    files::{FileTable, Handles},
    parse::{self, syscall::Syscall},
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
    /// Clock ticks on a CPU.
    pub cpu_ticks: u64,
    /// Page faults that took I/O.
    pub major_faults: u64,
    /// Nanoseconds that the main thread waited for a CPU.
    pub run_delay: Seen<u64>,
    /// Bytes from and to storage.
    pub storage: Seen<(u64, u64)>,
    /// Private memory in pages; it shrinks as well as grows.
    pub private_pages: Seen<u64>,
}

/// What changes at `exec` alone, and is therefore read once.
#[derive(Clone, Debug)]
pub struct About {
    /// The name that the process gave itself.
    pub comm: String,
    /// Path of the executable.
    pub executable: Option<String>,
    /// The control group that says most.
    pub cgroup: Option<String>,
    /// What outlives restarts.
    pub role: String,
    /// The network namespace's number.
    pub network: Option<u64>,
    /// Whether an argument says `fault`: what `detective fault` starts is trouble like any other.
    pub makes_faults: bool,
    /// What of this could not be read, as signals, and why.
    pub unseen: Vec<(&'static str, Reason)>,
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
    /// Memory in use, in pages.
    pub resident_pages: Seen<u64>,
    /// Open files.
    pub handles: Seen<Handles>,
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
    cpu_ticks: u64,
    major_faults: u64,
    at: Instant,
    // Held open: once this process dies, reads through it fail, even if the kernel hands its number to another.
    directory: Directory,
}

/// Opens a process and reads its `stat`; `Here(None)` is a thread of the kernel's.
pub fn open(root: &ProcRoot, pid: u32, buffer: &mut Vec<u8>) -> Seen<Option<Opened>> {
    root.directory.directory(&pid.to_string()).and_then(|directory| {
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
                cpu_ticks: stat.user_ticks.saturating_add(stat.system_ticks),
                major_faults: stat.major_faults,
                at,
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
    /// Reads what is the same until the next `exec`.
    pub fn about(&self, buffer: &mut Vec<u8>) -> About {
        let mut unseen = Vec::new();
        let executable = noted("executable", self.directory.link("exe", buffer), &mut unseen).map(parse::text);
        let executable = executable.map(|path| path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned());
        let cgroup = noted("cgroup", self.directory.read("cgroup", buffer), &mut unseen);
        let cgroup = cgroup.and_then(parse::process::cgroup).map(parse::text);
        let network = noted("network-namespace", self.directory.link("ns/net", buffer), &mut unseen);
        let network = network.and_then(|link| parse::process::numbered(link, b"net"));
        // The script's name comes early; what follows may be megabytes.
        let keep = |text: &[u8]| arguments::kept(executable.as_deref(), &parse::process::arguments(text));
        let arguments = self.directory.read_part("cmdline", 16 << 10, buffer, keep).here().unwrap_or_default();
        let container = cgroup.as_deref().and_then(crate::role::container);
        let arguments = parse::process::arguments(arguments);
        let role = crate::role::of_process(container, executable.as_deref(), &self.comm, &arguments);
        let makes_faults = arguments.iter().skip(1).any(|argument| *argument == b"fault");
        About { comm: self.comm.clone(), executable, cgroup, role, network, makes_faults, unseen }
    }

    /// Reads the rest. `Gone` if the process ended meanwhile.
    pub fn read(self, about: Arc<About>, files: &mut FileTable, buffer: &mut Vec<u8>) -> Seen<Process> {
        const ZOMBIE: u8 = b'Z';
        let memory = parsed(self.directory.read_small("statm", buffer), parse::process::statm);
        let run_delay = parsed(self.directory.read_small("schedstat", buffer), parse::process::run_delay);
        let storage = parsed(self.directory.read_small("io", buffer), parse::process::storage_bytes);
        let syscall = self.directory.read_small("syscall", buffer).map(parse::syscall::parse);
        // A zombie has closed all its files; asking for them would be refused as if rights were missing.
        let handles =
            if self.state == ZOMBIE { Seen::Here(Handles::default()) } else { files.handles(&self.directory, buffer) };
        let process = Process {
            identity: self.identity,
            parent: self.parent,
            state: self.state,
            threads: self.threads,
            counters: Counters {
                at: self.at,
                cpu_ticks: self.cpu_ticks,
                major_faults: self.major_faults,
                run_delay,
                storage,
                private_pages: memory.map(|(_, private)| private),
            },
            resident_pages: memory.map(|(resident, _)| resident),
            handles,
            syscall,
            about,
        };
        process.unless_gone(&self.directory, buffer)
    }

    /// The inodes of its sockets alone; for a process that is not to be shown.
    pub fn sockets(&self, files: &mut FileTable, buffer: &mut Vec<u8>) -> Vec<u64> {
        files.sockets(&self.directory, buffer)
    }
}

impl Process {
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
        let any_gone = counters.run_delay == Seen::Gone
            || counters.storage == Seen::Gone
            || counters.private_pages == Seen::Gone
            || matches!(self.handles, Seen::Gone)
            || self.syscall == Seen::Gone;
        if !any_gone {
            return Seen::Here(self);
        }
        if directory.read_small("stat", buffer) == Seen::Gone {
            return Seen::Gone;
        }
        counters.run_delay = missing_here(counters.run_delay);
        counters.storage = missing_here(counters.storage);
        counters.private_pages = missing_here(counters.private_pages);
        self.syscall = missing_here(self.syscall);
        self.handles = missing_here(self.handles);
        Seen::Here(self)
    }
}

/// The answer, if it is one. What is gone is no gap: a zombie has no executable any more.
fn noted<'b>(signal: &'static str, seen: Seen<&'b [u8]>, unseen: &mut Vec<(&'static str, Reason)>) -> Option<&'b [u8]> {
    match seen.measured() {
        Ok(bytes) => return Some(bytes),
        Err(Reason::Gone) => {}
        Err(reason) => unseen.push((signal, reason)),
    }
    None
}

fn missing_here<T>(seen: Seen<T>) -> Seen<T> {
    if matches!(seen, Seen::Gone) { Seen::Unsupported } else { seen }
}

fn parsed<T>(seen: Seen<&[u8]>, parse: impl FnOnce(&[u8]) -> Option<T>) -> Seen<T> {
    seen.and_then(|text| parse(text).map_or(Seen::Unsupported, Seen::Here))
}
