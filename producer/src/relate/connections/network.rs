//! Endpoints and links, and how they are put together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::collect::measure::{Measured, Reason};

/// A shorter wait for a response is that of any request under way; links do not tell it.
pub(super) const MIN_RESPONSE_WAIT_MS: f32 = 100.0;

/// A listening or a remote endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The node's id.
    pub id: String,
    /// The owner's role and the port; of a remote one the port.
    pub role: String,
    /// What a person calls it.
    pub name: String,
    /// `ip:port`.
    pub address: Option<String>,
    /// Where a Unix socket is bound in the file system.
    pub path: Option<String>,
    /// Connections, those that nobody has accepted yet included.
    pub connections: u64,
    /// Bytes received and not read yet.
    pub recv_queue: u64,
    /// Bytes sent and not acknowledged yet.
    pub send_queue: Option<u64>,
    /// Of a listening one: connections that are not accepted yet.
    pub accept_queue: Option<u64>,
    /// Of a listening one: as many as it lets wait; none if it is not told.
    pub accept_limit: Option<u64>,
    /// The longest round-trip time in milliseconds; none if it has none.
    pub rtt_ms: Option<Result<f32, Reason>>,
    /// Segments sent again, per second; none if it has none.
    pub retransmits: Option<Measured>,
    /// Of a remote one: for how many milliseconds it has owed an answer.
    pub pending_request_ms: Option<Measured>,
}

/// What a process is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Index of a process in the sweep.
    Process(usize),
    /// Index of an endpoint in the network.
    Endpoint(usize),
}

/// How a process is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// It is the client.
    Connects,
    /// It listens there.
    Opens,
}

/// One link of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Whether the kernel tells which end depends on which.
    pub observed: bool,
    /// The longest round-trip time in milliseconds.
    pub latency_ms: Option<f32>,
    /// For how many milliseconds the client has waited for an answer.
    pub blocked_ms: Option<f32>,
    /// Connections.
    pub count: u64,
}

impl Link {
    /// One connection, without times.
    pub fn new(observed: bool) -> Link {
        Link { observed, latency_ms: None, blocked_ms: None, count: 1 }
    }
}

/// What the connections of a process say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConnectionStats {
    /// Those that it is the client of.
    pub clients: u64,
    /// For how many milliseconds it has waited for an answer. Over a Unix socket only the wait for a server that does not even read the
    /// question can be told.
    pub response_wait_ms: f64,
    /// For how many milliseconds it has owed one.
    pub pending_request_ms: f64,
    /// For how many milliseconds it has left what it received unread.
    pub unread_ms: f64,
}

/// Who is at the other end of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerProcesses {
    /// Indices of processes in the sweep.
    pub processes: Vec<usize>,
    /// Whether they depend on this end: it serves them.
    pub are_clients: bool,
}

/// All endpoints and links of a sweep.
#[derive(Debug, Default)]
pub struct Network {
    /// Endpoints; links point here by index.
    pub endpoints: Vec<Endpoint>,
    /// From a process to what it depends on.
    pub links: BTreeMap<(usize, Target, LinkKind), Link>,
    /// What is known of each process that has connections.
    pub stats: BTreeMap<usize, ConnectionStats>,
    /// The other ends of those sockets that were asked for, by inode.
    pub peers: HashMap<u64, PeerProcesses>,
    /// The namespaces whose sockets the kernel listed itself.
    pub listed: BTreeSet<u64>,
    /// Remote endpoints that are too many to show.
    pub left_out: usize,
}

impl Network {
    /// For how many milliseconds a process has owed an answer.
    pub fn pending_request_ms(&self, process: usize) -> f64 {
        self.stats.get(&process).map_or(0.0, |stats| stats.pending_request_ms)
    }
}

/// A network whose endpoints are still found by id.
#[derive(Default)]
pub(super) struct NetworkBuilder {
    pub(super) network: Network,
    pub(super) by_id: HashMap<String, usize>,
}

impl NetworkBuilder {
    /// The index of the endpoint with that id; it is made if there is none.
    pub(super) fn endpoint(&mut self, id: String, make: impl FnOnce(String) -> Endpoint) -> usize {
        if let Some(at) = self.by_id.get(&id) {
            return *at;
        }
        let at = self.network.endpoints.len();
        self.network.endpoints.push(make(id.clone()));
        self.by_id.insert(id, at);
        at
    }

    pub(super) fn at(&mut self, endpoint: usize) -> Option<&mut Endpoint> {
        self.network.endpoints.get_mut(endpoint)
    }

    pub(super) fn link(&mut self, source: usize, target: Target, kind: LinkKind, link: Link) {
        if target == Target::Process(source) {
            return;
        }
        let known = self.network.links.entry((source, target, kind)).or_insert(Link { count: 0, ..link });
        // Several sockets that listen at one endpoint are one endpoint.
        known.count = if kind == LinkKind::Connects { known.count + link.count } else { 1 };
        known.observed |= link.observed;
        known.latency_ms = larger(known.latency_ms, link.latency_ms);
        known.blocked_ms = larger(known.blocked_ms, link.blocked_ms);
    }

    pub(super) fn stats(&mut self, process: usize) -> &mut ConnectionStats {
        self.network.stats.entry(process).or_default()
    }

    /// Notes what these processes owe and have left unread.
    pub(super) fn add_waits(&mut self, processes: &[usize], pending_request_ms: f64, unread_ms: f64) {
        for process in processes {
            let stats = self.stats(*process);
            stats.pending_request_ms = stats.pending_request_ms.max(pending_request_ms);
            stats.unread_ms = stats.unread_ms.max(unread_ms);
        }
    }

    /// Drops the remote endpoints with the fewest connections if there are too many.
    pub(super) fn finish(mut self) -> Network {
        const MOST_REMOTES: usize = 512;
        let is_remote = |endpoint: &Endpoint| endpoint.accept_queue.is_none();
        let network = &mut self.network;
        let mut remotes: Vec<usize> =
            (0..network.endpoints.len()).filter(|at| network.endpoints.get(*at).is_some_and(is_remote)).collect();
        if remotes.len() <= MOST_REMOTES {
            return self.network;
        }
        remotes.sort_by_key(|at| {
            network.endpoints.get(*at).map(|remote| (u64::MAX - remote.connections, remote.id.clone()))
        });
        let dropped: HashSet<usize> = remotes.split_off(MOST_REMOTES).into_iter().collect();
        let mut new_places = HashMap::new();
        let all = std::mem::take(&mut network.endpoints);
        for (at, endpoint) in all.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at)) {
            new_places.insert(at, network.endpoints.len());
            network.endpoints.push(endpoint);
        }
        let links = std::mem::take(&mut network.links);
        let moved = links.into_iter().filter_map(|((source, target, kind), link)| {
            let target = match target {
                Target::Endpoint(at) => Target::Endpoint(*new_places.get(&at)?),
                process => process,
            };
            Some(((source, target, kind), link))
        });
        network.links = moved.collect();
        network.left_out = dropped.len();
        self.network
    }
}

pub(super) fn larger(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
