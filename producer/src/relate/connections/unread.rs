//! Finds how long data sent to Unix sockets has been unread.
//!
//! The kernel shows how much is unread, without times. Data is the same as in the previous listing
//! if no process with one of the ends open has run in between: then it was neither read nor added
//! to. All other data counts as new.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hostread::{ProcessKey, parse::sockets::UnixSocket, process};

use super::{inputs::SocketInputs, owners::Owners};
use collector::process::Process;

/// Since when data has been unread, by socket.
#[derive(Debug, Default)]
pub(super) struct UnreadData {
    // Keyed by the inode of the receiving socket.
    received: HashMap<u64, Instant>,
    // Keyed by the inode of a client that sent data over a connection that is not accepted yet.
    pending: HashMap<u64, Instant>,
    clocks: HashMap<ProcessKey, CpuClock>,
    at: Option<Instant>,
}

/// CPU time that a process had used when it was read after a listing.
#[derive(Clone, Copy, Debug)]
struct CpuClock {
    used: Duration,
    // For how many consecutive listings before this one the CPU time has been the same.
    same: u32,
}

/// Checks which processes were idle between two listings, each once.
struct IdleCheck<'a> {
    earlier: &'a UnreadData,
    inputs: &'a SocketInputs<'a>,
    owners: &'a Owners,
    is_idle: HashMap<usize, bool>,
    clocks: HashMap<ProcessKey, CpuClock>,
    buffer: Vec<u8>,
}

impl UnreadData {
    /// Computes the unread data of this sweep from the state before.
    pub(super) fn next(&self, inputs: &SocketInputs<'_>, owners: &Owners) -> UnreadData {
        let mut unread = UnreadData { at: Some(inputs.at), ..UnreadData::default() };
        let is_idle = HashMap::new();
        let clocks = HashMap::new();
        let mut idle_check = IdleCheck { earlier: self, inputs, owners, is_idle, clocks, buffer: Vec::new() };
        // The two ends of a connection by path can be in different network namespaces.
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
                // A socket that is not the peer of its peer is connectionless: any process can send
                // to it.
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

    /// How long data received by a socket has been unread, in milliseconds; 0 if none is.
    pub(super) fn received_ms(&self, inode: u64) -> f64 {
        self.millis(self.received.get(&inode))
    }

    /// How long data sent by a client has waited for its connection to be accepted, in
    /// milliseconds; 0 if none has.
    pub(super) fn pending_ms(&self, client: u64) -> f64 {
        self.millis(self.pending.get(&client))
    }

    fn millis(&self, since: Option<&Instant>) -> f64 {
        let Some((at, since)) = self.at.zip(since) else { return 0.0 };
        at.duration_since(*since).as_secs_f64() * 1000.0
    }
}

impl IdleCheck<'_> {
    /// Whether a socket has owners and none has run since the previous listing.
    fn are_owners_idle(&mut self, inode: u64) -> bool {
        let owners = self.owners;
        let owners = owners.of_socket(inode);
        // No short circuit: the CPU time of every owner is needed after the next listing.
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

    /// A process counts as idle since the previous sweep as of when it was read, before sockets
    /// were listed. This checks again, after the listing.
    fn has_not_run_since_read(&mut self, process: &Process) -> bool {
        let turns = process::times_scheduled(self.inputs.root, process.key, process.key.pid, &mut self.buffer);
        let when_read = process.counters.schedule.here().map(|schedule| schedule.timeslices);
        turns.is_some() && turns == when_read
    }

    /// CPU times are read after a listing, so two equal readings leave the time before the earlier
    /// listing uncovered; three cover it.
    fn has_same_cpu_clock(&mut self, process: &Process) -> bool {
        let Some(used) = self.inputs.root.cpu_time(process.key.pid).here() else { return false };
        let before = self.earlier.clocks.get(&process.key).filter(|clock| clock.used == used);
        let same = before.map_or(0, |clock| clock.same.saturating_add(1));
        self.clocks.insert(process.key, CpuClock { used, same });
        same >= 2
    }
}
