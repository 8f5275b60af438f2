//! What was sent to Unix sockets and nobody takes, and since when.
//!
//! The kernel tells how much lies there and no times. It is the same that lay there in the listing before if nobody can have taken it
//! meanwhile, or nobody can have sent more: if no process that is seen to have one of the ends open has run from that listing to this one.
//! Of all else nothing is said.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hostread::{ProcessKey, parse::sockets::UnixSocket, process};

use super::{inputs::SocketInputs, owners::Owners};
use crate::collect::process::Process;

/// Since when something has lain unread.
#[derive(Debug, Default)]
pub(super) struct UnreadData {
    // By the inode of the socket that received it.
    received: HashMap<u64, Instant>,
    // By the inode of a client that has sent something over a connection which nobody has accepted.
    pending: HashMap<u64, Instant>,
    clocks: HashMap<ProcessKey, CpuClock>,
    at: Option<Instant>,
}

/// What a process had used of the CPU when it was asked after a listing.
#[derive(Clone, Copy, Debug)]
struct CpuClock {
    used: Duration,
    // After how many listings before this one, without a break, it was the same.
    same: u32,
}

/// What is asked about processes after a listing, each once.
struct IdleCheck<'a> {
    earlier: &'a UnreadData,
    inputs: &'a SocketInputs<'a>,
    owners: &'a Owners,
    is_idle: HashMap<usize, bool>,
    clocks: HashMap<ProcessKey, CpuClock>,
    buffer: Vec<u8>,
}

impl UnreadData {
    /// What lies unread in this sweep.
    pub(super) fn next(&self, inputs: &SocketInputs<'_>, owners: &Owners) -> UnreadData {
        let mut unread = UnreadData { at: Some(inputs.at), ..UnreadData::default() };
        let (is_idle, clocks) = (HashMap::new(), HashMap::new());
        let mut idle_check = IdleCheck { earlier: self, inputs, owners, is_idle, clocks, buffer: Vec::new() };
        // The ends of a connection by path can be in different network namespaces.
        let all = || inputs.listings.values().flat_map(|listing| &listing.sockets.unix);
        let sockets: HashMap<u64, &UnixSocket> = all().map(|socket| (socket.inode, socket)).collect();
        for socket in all() {
            if socket.is_listening {
                let has_sent = |client: &&u64| sockets.get(client).is_some_and(|client| client.send_queue > 0);
                for client in socket.pending_clients.iter().filter(has_sent) {
                    unread.pending.insert(*client, self.pending.get(client).copied().unwrap_or(inputs.at));
                }
            } else if socket.recv_queue > 0
                && let Some(sender) = socket.peer_inode.and_then(|peer| sockets.get(&peer))
                // To a socket that is nobody's peer anyone can send.
                && sender.peer_inode == Some(socket.inode)
            {
                let is_idle = [idle_check.are_owners_idle(socket.inode), idle_check.are_owners_idle(sender.inode)];
                let before = self.received.get(&socket.inode).filter(|_| is_idle.contains(&true));
                unread.received.insert(socket.inode, before.copied().unwrap_or(inputs.at));
            }
        }
        unread.clocks = idle_check.clocks;
        unread
    }

    /// For how many milliseconds what a socket received has been unread; 0 if nothing is.
    pub(super) fn received_ms(&self, inode: u64) -> f64 {
        self.millis(self.received.get(&inode))
    }

    /// For how many milliseconds what a client sent has waited for somebody to accept its connection; 0 if nothing has.
    pub(super) fn pending_ms(&self, client: u64) -> f64 {
        self.millis(self.pending.get(&client))
    }

    fn millis(&self, since: Option<&Instant>) -> f64 {
        let Some((at, since)) = self.at.zip(since) else { return 0.0 };
        at.duration_since(*since).as_secs_f64() * 1000.0
    }
}

impl IdleCheck<'_> {
    /// Whether a socket has owners, and none of them has run since the listing before.
    fn are_owners_idle(&mut self, inode: u64) -> bool {
        let owners = self.owners;
        let owners = owners.of_socket(inode);
        // All of them are asked, so that their clocks are known after the next listing.
        owners.iter().fold(!owners.is_empty(), |is_idle, owner| self.is_idle(*owner) && is_idle)
    }

    fn is_idle(&mut self, owner: usize) -> bool {
        if let Some(is_idle) = self.is_idle.get(&owner) {
            return *is_idle;
        }
        let inputs = self.inputs;
        let is_idle = inputs.processes.get(owner).is_some_and(|process| {
            if process.is_idle { self.has_not_run_since_read(process) } else { self.has_same_cpu_clock(process) }
        });
        self.is_idle.insert(owner, is_idle);
        is_idle
    }

    /// Processes are read before the sockets are listed: what has rested from the sweep before to this one is asked once more.
    fn has_not_run_since_read(&mut self, process: &Process) -> bool {
        let turns = process::times_scheduled(self.inputs.root, process.key, process.key.pid, &mut self.buffer);
        let when_read = process.counters.schedule.here().map(|schedule| schedule.timeslices);
        turns.is_some() && turns == when_read
    }

    /// Its clock was asked after the listing before: only what it told after the one before that covers all the time from listing to
    /// listing.
    fn has_same_cpu_clock(&mut self, process: &Process) -> bool {
        let Some(used) = self.inputs.root.cpu_time(process.key.pid).here() else { return false };
        let before = self.earlier.clocks.get(&process.key).filter(|clock| clock.used == used);
        let same = before.map_or(0, |clock| clock.same.saturating_add(1));
        self.clocks.insert(process.key, CpuClock { used, same });
        same >= 2
    }
}
