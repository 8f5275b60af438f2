//! Who stays in a read or a write of a pipe or socket, and for whom.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use hostread::{ProcRoot, ProcessKey, Seen, parse::syscall::TransferCall, process};

use crate::{
    collect::{
        files::{FileKey, Handle},
        process::Process,
        tasks::Task,
    },
    relate::{connections::Network, pipes::PipeEnds},
};

/// A task that stays in one read or write for a shorter time is not stalled: it gets no edge.
pub const MIN_STALL: Duration = Duration::from_millis(100);

/// A task that stays in one read or write.
#[derive(Clone, Debug)]
pub struct Stall {
    /// Index of its process in the sweep.
    pub process: usize,
    /// Whether it writes.
    pub writes: bool,
    /// Whether it is a pipe, else a socket.
    pub is_pipe: bool,
    /// Since the wait was first seen.
    pub blocked: Duration,
    /// Indices of the processes at the other end.
    pub peers: Vec<usize>,
    /// Where the call was read.
    pub source: String,
    /// The call in words.
    pub text: String,
}

/// What is remembered from sweep to sweep: the waits that went on.
#[derive(Debug, Default)]
pub struct History {
    waits: HashMap<(ProcessKey, u32, Channel), OngoingWait>,
}

#[derive(Clone, Copy, Debug)]
struct OngoingWait {
    // A task that was woken and waits again has had a turn on a CPU; its wait is a new one.
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

/// The tasks in such calls.
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

/// The sockets that they read or write, by inode.
pub fn sockets(callers: &[ChannelCaller]) -> HashSet<u64> {
    let socket = |caller: &ChannelCaller| match caller.channel {
        Channel::Socket { inode, .. } => Some(inode),
        Channel::Pipe { .. } => None,
    };
    callers.iter().filter_map(socket).collect()
}

impl History {
    /// How long each caller has stayed, and for whom. Who serves a client and has nothing to do waits for nobody.
    pub fn update(
        &mut self,
        root: &ProcRoot,
        callers: &[ChannelCaller],
        pipes: &PipeEnds,
        network: &Network,
        buffer: &mut Vec<u8>,
    ) -> Vec<Stall> {
        let now = root.tape.monotonic_clock();
        let (mut ongoing, mut stalls) = (HashMap::with_capacity(callers.len()), Vec::new());
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
        let (pid, task) = (self.key.pid, self.task.id);
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

/// Who is waited for; none if the wait is nobody's trouble.
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

/// The longest stall of each process: in a write and in a read.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongestStalls {
    /// In milliseconds.
    pub write_ms: f64,
    /// In milliseconds.
    pub read_ms: f64,
}

/// The longest stalls by process.
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
