//! What was sent to Unix sockets and nobody takes, and since when.
//!
//! The kernel tells how much lies there and no times. That it is the same that lay there in the sweep before is certain only if nobody
//! can have taken it meanwhile, or nobody can have sent more: if no process at one of the ends has run. Of all else nothing is said.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Owners, Scene};
use crate::{process::Identity, sockets::UnixSocket};

/// Since when something has lain unread: by the inode of the socket that received it, or of a client that has sent something over a
/// connection which nobody has accepted.
#[derive(Debug, Default)]
pub(super) struct Unread {
    since: HashMap<u64, Instant>,
    // What processes with several threads had used of the CPU, by which it is told whether they have run.
    clocks: HashMap<Identity, Duration>,
    at: Option<Instant>,
}

impl Unread {
    /// What lies unread in this sweep.
    pub(super) fn next(&self, scene: &Scene<'_>, owners: &Owners) -> Unread {
        let mut unread = Unread { at: Some(scene.at), ..Unread::default() };
        for listing in scene.listings.values() {
            let sockets: HashMap<u64, &UnixSocket> =
                listing.sockets.unix.iter().map(|socket| (socket.inode, socket)).collect();
            for socket in &listing.sockets.unix {
                if socket.listens {
                    let has_sent = |client: &&u64| sockets.get(client).is_some_and(|client| client.sent > 0);
                    let clients = socket.pending.iter().filter(has_sent);
                    unread.since.extend(clients.map(|client| (*client, self.since(*client, scene))));
                } else if socket.queued > 0
                    && let Some(sender) = socket.peer.and_then(|peer| sockets.get(&peer))
                    // To a socket that is nobody's peer anyone can send.
                    && sender.peer == Some(socket.inode)
                {
                    let mut rest = |inode| self.rest(scene, owners.of_socket(inode), &mut unread.clocks);
                    let rests = [rest(socket.inode), rest(sender.inode)];
                    let since = if rests.contains(&true) { self.since(socket.inode, scene) } else { scene.at };
                    unread.since.insert(socket.inode, since);
                }
            }
        }
        unread
    }

    fn since(&self, inode: u64, scene: &Scene<'_>) -> Instant {
        self.since.get(&inode).copied().unwrap_or(scene.at)
    }

    /// Whether a socket has owners, and none of them has run since the sweep before. What they have used by now is noted in `clocks`.
    fn rest(&self, scene: &Scene<'_>, owners: &[usize], clocks: &mut HashMap<Identity, Duration>) -> bool {
        let mut ran = owners.is_empty();
        for process in owners.iter().filter_map(|at| scene.processes.get(*at)).filter(|process| !process.rested) {
            let used = scene.root.cpu_time(process.identity.pid).here();
            ran |= used.is_none() || self.clocks.get(&process.identity) != used.as_ref();
            clocks.extend(used.map(|used| (process.identity, used)));
        }
        !ran
    }

    /// For how many milliseconds what a socket received, or sent to nobody yet, has been unread; 0 if nothing is.
    pub(super) fn millis(&self, inode: u64) -> f64 {
        let Some((at, since)) = self.at.zip(self.since.get(&inode)) else { return 0.0 };
        at.duration_since(*since).as_secs_f64() * 1000.0
    }
}
