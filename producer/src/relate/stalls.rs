//! Stalls: tasks that stay in one read or write of a pipe or socket, and the processes at the other
//! end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use hostread::{ProcRoot, ProcessKey, Seen, parse::syscall::TransferCall, process};

use collector::{
    files::{FileKey, Handle},
    process::Process,
    tasks::Task,
};

use crate::relate::{connections::Network, pipes::PipeEnds};

/// Minimum time in one read or write before it counts as a stall and gets an edge.
pub const MIN_STALL: Duration = Duration::from_millis(100);

/// A task that stays in one read or write.
#[derive(Clone, Debug)]
pub struct Stall {
    /// Index of its process in the sweep.
    pub process: usize,
    /// Whether the call writes; else it reads.
    pub writes: bool,
    /// Whether the channel is a pipe; else it is a socket.
    pub is_pipe: bool,
    /// Time since the call was first seen.
    pub blocked: Duration,
    /// Indices, in the sweep, of the processes at the other end.
    pub peers: Vec<usize>,
    /// File that the call was read from.
    pub source: String,
    /// The call, decoded.
    pub text: String,
}

/// State kept between sweeps: ongoing reads and writes.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32, Channel), OngoingWait>,
}

#[derive(Clone, Copy, Debug)]
struct OngoingWait {
    // A task that was woken and waits again has run in between (`turns` grew), so its wait is a new
    // one.
    turns: Option<u64>,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Channel {
    Pipe { pipe: FileKey, writes: bool },
    Socket { inode: u64, writes: bool },
}

/// A task in a call that reads or writes a pipe or socket.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCaller {
    task: Task,
    key: ProcessKey,
    call: TransferCall,
    channel: Channel,
}

/// Returns the tasks that are in such a call.
pub fn callers(processes: &[Process], tasks: &[Task]) -> Vec<ChannelCaller> {
    let caller = |task: &Task| {
        let call = task.syscall.transfer_call()?;
        let process = processes.get(task.process)?;
        let Seen::Here(handles) = &process.handles else { return None };
        let channel = match handles.handle(call.fd)? {
            Handle::Pipe { pipe, .. } => Channel::Pipe { pipe, writes: call.is_write },
            Handle::Socket(inode) => Channel::Socket { inode, writes: call.is_write },
            Handle::File { .. } => return None,
        };
        Some(ChannelCaller { task: *task, key: process.key, call, channel })
    };
    tasks.iter().filter_map(caller).collect()
}

/// Inodes of the sockets that these tasks read or write.
pub fn sockets(callers: &[ChannelCaller]) -> HashSet<u64> {
    let socket = |caller: &ChannelCaller| match caller.channel {
        Channel::Socket { inode, .. } => Some(inode),
        Channel::Pipe { .. } => None,
    };
    callers.iter().filter_map(socket).collect()
}

impl History {
    /// Returns how long each caller has stayed in its call, and the processes at the other end. A
    /// server that waits for its next request is idle, not stalled.
    pub fn update(
        &mut self,
        root: &ProcRoot,
        callers: &[ChannelCaller],
        pipes: &PipeEnds,
        network: &Network,
        buffer: &mut Vec<u8>,
    ) -> Vec<Stall> {
        let now = root.tape.monotonic_clock();
        let mut ongoing = HashMap::with_capacity(callers.len());
        let mut stalls = Vec::new();
        for caller in callers {
            let Some(peers) = peers(caller, pipes, network) else { continue };
            let turns = process::times_scheduled(root, caller.key, caller.task.id, buffer);
            let key = (caller.key, caller.task.id, caller.channel);
            let before = self.waits.get(&key).filter(|before| turns.is_some() && before.turns == turns);
            let since = before.map_or(now, |before| before.since);
            ongoing.insert(key, OngoingWait { turns, since });
            stalls.push(caller.stall(root, now.duration_since(since), peers));
        }
        self.waits = ongoing;
        stalls
    }
}

impl ChannelCaller {
    fn stall(&self, root: &ProcRoot, blocked: Duration, peers: Vec<usize>) -> Stall {
        let pid = self.key.pid;
        let task = self.task.id;
        let TransferCall { name, fd, is_write: writes } = self.call;
        let (is_pipe, what) = match self.channel {
            Channel::Pipe { pipe, .. } => (true, format!("pipe:[{}]", pipe.inode)),
            Channel::Socket { inode, .. } => (false, format!("socket:[{inode}]")),
        };
        Stall {
            process: self.task.process,
            writes,
            is_pipe,
            blocked,
            peers,
            source: root.path.join(format!("{pid}/task/{task}/syscall")).display().to_string(),
            text: format!("{} {fd:#x}: {name}({fd}), {what}", self.task.syscall.number),
        }
    }
}

/// Processes at the other end; `None` for a server that waits for its next request.
fn peers(caller: &ChannelCaller, pipes: &PipeEnds, network: &Network) -> Option<Vec<usize>> {
    let peers: BTreeSet<usize> = match caller.channel {
        Channel::Pipe { pipe, writes } => {
            let (readers, writers) = pipes.get(&pipe)?;
            if writes { readers.clone() } else { writers.clone() }
        }
        Channel::Socket { inode, writes } => {
            let peer = network.peers.get(&inode)?;
            if !writes && peer.are_clients {
                return None;
            }
            peer.processes.iter().copied().collect()
        }
    };
    Some(peers.into_iter().filter(|other| *other != caller.task.process).collect())
}

/// Longest stalls of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongestStalls {
    /// Longest time in one write, in milliseconds.
    pub write_ms: f64,
    /// Longest time in one read, in milliseconds.
    pub read_ms: f64,
}

/// Longest stalls of each process, by index in the sweep.
pub fn longest(stalls: &[Stall]) -> BTreeMap<usize, LongestStalls> {
    let mut longest = BTreeMap::<usize, LongestStalls>::new();
    for stall in stalls {
        let millis = stall.blocked.as_secs_f64() * 1000.0;
        let of_process = longest.entry(stall.process).or_default();
        let longest = if stall.writes { &mut of_process.write_ms } else { &mut of_process.read_ms };
        *longest = longest.max(millis);
    }
    longest
}
