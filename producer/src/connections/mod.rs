//! Who is connected to whom: sockets joined by their ends, and to the processes that have them open.

mod tcp;
mod unix;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

use crate::{
    columns::{Measured, Reason},
    process::Process,
    read::Seen,
    sockets::Listing,
};

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
    /// The longest round-trip time in milliseconds; none if it has none.
    pub rtt_ms: Option<Result<f32, Reason>>,
    /// Segments sent again, per second; none if it has none.
    pub retransmits: Option<Measured>,
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
pub enum Tie {
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
}

/// All endpoints and links of a sweep.
#[derive(Debug, Default)]
pub struct Network {
    /// Endpoints; links point here by index.
    pub endpoints: Vec<Endpoint>,
    /// From a process to what it depends on.
    pub links: BTreeMap<(usize, Target, Tie), Link>,
    /// Remote endpoints that are too many to show.
    pub left_out: usize,
}

/// What is remembered from sweep to sweep: how often each connection has sent again.
#[derive(Debug, Default)]
pub struct Memory {
    retransmits: HashMap<u64, u32>,
    at: Option<Instant>,
}

/// What a look at the sockets needs.
pub struct Scene<'s> {
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// The sockets of the network namespace.
    pub listing: &'s Listing,
    /// The namespace's number.
    pub namespace: u64,
    /// Sockets of Local Detective's own processes, which are not shown, nor what is connected to them.
    pub own: &'s HashSet<u64>,
    /// When the listing was made.
    pub at: Instant,
}

impl Memory {
    /// Joins the sockets of a sweep.
    pub fn join(&mut self, scene: &Scene<'_>) -> Network {
        let owners = Owners::of(scene.processes);
        let mut network = Building::default();
        let elapsed = self.at.map(|at| scene.at.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        tcp::join(scene, &owners, &Resent { before: &self.retransmits, elapsed }, &mut network);
        unix::join(scene, &owners, &mut network);
        let sockets = scene.listing.sockets.tcp.iter();
        self.retransmits = sockets.filter_map(|socket| Some((socket.cookie?, socket.retransmits?))).collect();
        self.at = Some(scene.at);
        network.finish()
    }
}

/// Which processes have a socket open, the oldest first.
struct Owners(HashMap<u64, Vec<usize>>);

impl Owners {
    fn of(processes: &[Process]) -> Owners {
        let mut owners = HashMap::<u64, Vec<usize>>::new();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for inode in handles.sockets() {
                let owners = owners.entry(inode).or_default();
                if owners.last() != Some(&at) {
                    owners.push(at);
                }
            }
        }
        let age = |at: &usize| processes.get(*at).map(|process| process.identity.start_time);
        for owners in owners.values_mut() {
            owners.sort_by_key(|at| (age(at), *at));
            owners.dedup();
        }
        Owners(owners)
    }

    fn of_socket(&self, inode: u64) -> &[usize] {
        self.0.get(&inode).map_or(&[], Vec::as_slice)
    }

    fn role(&self, processes: &[Process], inode: u64) -> String {
        let oldest = self.of_socket(inode).first().and_then(|at| processes.get(*at));
        oldest.map_or("-".to_owned(), |process| process.about.role.clone())
    }
}

/// How often connections sent again since the sweep before.
struct Resent<'m> {
    before: &'m HashMap<u64, u32>,
    elapsed: Option<f64>,
}

impl Resent<'_> {
    fn per_second(&self, cookie: Option<u64>, now: Option<u32>) -> Measured {
        let (Some(cookie), Some(now)) = (cookie, now) else { return Err(Reason::Unsupported) };
        let elapsed = self.elapsed.ok_or(Reason::FirstSweep)?;
        let before = self.before.get(&cookie).copied().unwrap_or(0);
        Ok(f64::from(now.saturating_sub(before)) / elapsed)
    }
}

/// A network whose endpoints are still found by id.
#[derive(Default)]
struct Building {
    network: Network,
    by_id: HashMap<String, usize>,
}

impl Building {
    /// The index of the endpoint with that id; it is made if there is none.
    fn endpoint(&mut self, id: String, make: impl FnOnce(String) -> Endpoint) -> usize {
        if let Some(at) = self.by_id.get(&id) {
            return *at;
        }
        let at = self.network.endpoints.len();
        self.network.endpoints.push(make(id.clone()));
        self.by_id.insert(id, at);
        at
    }

    fn at(&mut self, endpoint: usize) -> Option<&mut Endpoint> {
        self.network.endpoints.get_mut(endpoint)
    }

    fn link(&mut self, source: usize, target: Target, tie: Tie, link: Link) {
        if target == Target::Process(source) {
            return;
        }
        let known = self.network.links.entry((source, target, tie)).or_insert(link);
        known.observed |= link.observed;
        known.latency_ms = larger(known.latency_ms, link.latency_ms);
    }

    /// Drops the remote endpoints with the fewest connections if there are too many.
    fn finish(mut self) -> Network {
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
        let moved = links.into_iter().filter_map(|((source, target, tie), link)| {
            let target = match target {
                Target::Endpoint(at) => Target::Endpoint(*new_places.get(&at)?),
                process => process,
            };
            Some(((source, target, tie), link))
        });
        network.links = moved.collect();
        network.left_out = dropped.len();
        self.network
    }
}

fn larger(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
