//! What a look at the sockets needs.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use hostread::{ProcRoot, sockets::SocketListing};

use crate::collect::process::Process;

/// What a look at the sockets needs.
pub struct SocketInputs<'s> {
    /// Where to ask for what they do.
    pub root: &'s ProcRoot,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// The sockets of each network namespace, by its number.
    pub listings: &'s BTreeMap<u64, SocketListing>,
    /// The inodes of sockets whose other end is asked for.
    pub wanted_peers: &'s HashSet<u64>,
    /// Sockets of Local Detective's own processes, which are not shown, nor what is connected to them.
    pub own_sockets: &'s HashSet<u64>,
    /// When the listing was made.
    pub at: Instant,
}
