//! The network of a sweep: endpoints and links, and the builder that collects them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use collector::measure::{Measured, Reason};

/// Minimum response wait, in milliseconds, that a link reports. A shorter one is a request in
/// flight.
pub(super) const MIN_RESPONSE_WAIT_MS: f32 = 100.0;

/// A listening or a remote endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Node id.
    pub id: String,
    /// Role: the owner's role and the port; for a remote endpoint the port alone.
    pub role: String,
    /// Name shown to people.
    pub name: String,
    /// `ip:port`.
    pub address: Option<String>,
    /// Filesystem path of a Unix socket.
    pub path: Option<String>,
    /// Number of connections, including those not accepted yet.
    pub connections: u64,
    /// Bytes received and not read yet.
    pub recv_queue: u64,
    /// Bytes sent and not acknowledged yet.
    pub send_queue: Option<u64>,
    /// Connections that wait to be accepted; `None` for a remote endpoint.
    pub accept_queue: Option<u64>,
    /// Capacity of the accept queue; `None` for a remote endpoint or if unknown.
    pub accept_limit: Option<u64>,
    /// Longest smoothed round-trip time in milliseconds; `None` without connections that have one.
    pub rtt_ms: Option<Result<f32, Reason>>,
    /// Retransmitted segments per second; `None` if it does not apply.
    pub retransmits: Option<Measured>,
    /// Age, in milliseconds, of the oldest pending request; only for a remote endpoint.
    pub pending_request_ms: Option<Measured>,
}

/// The target of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Index of a process in the sweep.
    Process(usize),
    /// Index of an endpoint in the network.
    Endpoint(usize),
}

/// How a process relates to the target of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// The process has a connection to the target, as its client.
    Connects,
    /// The process listens at the target.
    Opens,
}

/// A link from a process to what it depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Whether the kernel shows which end is the client; else it is inferred.
    pub observed: bool,
    /// Longest smoothed round-trip time of the connections of this link, in milliseconds.
    pub latency_ms: Option<f32>,
    /// How long the client has waited for a response, in milliseconds.
    pub blocked_ms: Option<f32>,
    /// Number of connections.
    pub count: u64,
}

impl Link {
    /// A single connection without times.
    pub fn new(observed: bool) -> Link {
        Link { observed, latency_ms: None, blocked_ms: None, count: 1 }
    }
}

/// Figures of one process, over all its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConnectionStats {
    /// Number of connections that the process is the client of.
    pub clients: u64,
    /// How long it has waited for a response, in milliseconds. For a Unix socket only the time
    /// until the server reads the request is measurable.
    pub response_wait_ms: f64,
    /// Age of its oldest pending request, in milliseconds.
    pub pending_request_ms: f64,
    /// How long received data has been unread, in milliseconds.
    pub unread_ms: f64,
}

/// The processes at the other end of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerProcesses {
    /// Indices of processes in the sweep.
    pub processes: Vec<usize>,
    /// Whether these processes are clients of this end.
    pub are_clients: bool,
}

/// Endpoints and links of a sweep.
#[derive(Debug, Default)]
pub struct Network {
    /// Endpoints; links refer to them by index.
    pub endpoints: Vec<Endpoint>,
    /// Links from a process to what it depends on.
    pub links: BTreeMap<(usize, Target, LinkKind), Link>,
    /// Figures of each process with connections.
    pub stats: BTreeMap<usize, ConnectionStats>,
    /// Peers of the wanted sockets, by socket inode.
    pub peers: HashMap<u64, PeerProcesses>,
    /// Network namespaces whose sockets were listed by `sock_diag`.
    pub listed: BTreeSet<u64>,
    /// Number of remote endpoints left out because there are too many.
    pub left_out: usize,
}

impl Network {
    /// Age of the oldest pending request of a process, in milliseconds; 0 if there is none.
    pub fn pending_request_ms(&self, process: usize) -> f64 {
        self.stats.get(&process).map_or(0.0, |stats| stats.pending_request_ms)
    }
}

/// A network under construction, with an index of endpoints by id.
#[derive(Default)]
pub(super) struct NetworkBuilder {
    pub(super) network: Network,
    pub(super) by_id: HashMap<String, usize>,
}

impl NetworkBuilder {
    /// Returns the index of the endpoint with that id, and creates it with `make` if there is none.
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
        // Several sockets that listen at one endpoint count once.
        known.count = if kind == LinkKind::Connects { known.count + link.count } else { 1 };
        known.observed |= link.observed;
        known.latency_ms = larger(known.latency_ms, link.latency_ms);
        known.blocked_ms = larger(known.blocked_ms, link.blocked_ms);
    }

    pub(super) fn stats(&mut self, process: usize) -> &mut ConnectionStats {
        self.network.stats.entry(process).or_default()
    }

    /// Raises, for each of these processes, the age of the oldest request that it received and has
    /// not answered, and of the oldest received data that it has not read. In milliseconds.
    pub(super) fn record_waits(&mut self, processes: &[usize], pending_request_ms: f64, unread_ms: f64) {
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
