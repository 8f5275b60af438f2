//! Inputs for joining sockets.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use hostread::{ProcRoot, sockets::SocketListing};

use collector::process::Process;

/// Inputs for joining sockets.
pub struct SocketInputs<'s> {
    /// The `/proc` to read scheduler statistics from.
    pub root: &'s ProcRoot,
    /// Processes of the sweep.
    pub processes: &'s [Process],
    /// Sockets of each network namespace, by namespace inode.
    pub listings: &'s BTreeMap<u64, SocketListing>,
    /// Inodes of sockets whose peers are wanted.
    pub wanted_peers: &'s HashSet<u64>,
    /// Sockets of Local Detective's own processes. They and their peers are left out.
    pub own_sockets: &'s HashSet<u64>,
    /// When the sockets were listed.
    pub at: Instant,
}
