//! Who is connected to whom: sockets joined by their ends, and to the processes that have them open.

mod tcp;
mod unix;
mod unread;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Instant,
};

use crate::{
    columns::{Measured, Reason},
    process::Process,
    read::{ProcRoot, Seen},
    sockets::{Listing, TcpSocket},
};
use unread::Unread;

/// A wait for an answer that is shorter is that of any request under way.
const WORTH_TELLING_MS: f32 = 100.0;

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
    pub owing_ms: Option<Measured>,
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
    /// For how many milliseconds the client has waited for an answer.
    pub blocked_ms: Option<f32>,
    /// Connections.
    pub count: u64,
}

impl Link {
    /// One connection, without times.
    pub fn of(observed: bool) -> Link {
        Link { observed, latency_ms: None, blocked_ms: None, count: 1 }
    }
}

/// What the connections of a process say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Those that it is the client of.
    pub clients: u64,
    /// For how many milliseconds it has waited for an answer. Over a Unix socket only the wait for a server that does not even read the
    /// question can be told.
    pub answer_wait_ms: f64,
    /// For how many milliseconds it has owed one.
    pub owing_ms: f64,
    /// For how many milliseconds it has left what it received unread.
    pub unread_ms: f64,
}

/// Who is at the other end of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherEnd {
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
    pub links: BTreeMap<(usize, Target, Tie), Link>,
    /// What is known of each process that has connections.
    pub standings: BTreeMap<usize, Standing>,
    /// The other ends of those sockets that were asked for, by inode.
    pub other_ends: HashMap<u64, OtherEnd>,
    /// The namespaces whose sockets the kernel listed itself.
    pub listed: BTreeSet<u64>,
    /// Remote endpoints that are too many to show.
    pub left_out: usize,
}

/// What is remembered from sweep to sweep of each connection, by namespace and cookie.
#[derive(Debug, Default)]
pub struct Memory {
    connections: HashMap<(u64, u64), Remembered>,
    unread: Unread,
    listed: BTreeSet<u64>,
    at: Option<Instant>,
}

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    retransmits: u32,
    // Bytes that were read from it, and since when it has been so many with more to read.
    taken: u64,
    unread_since: Option<Instant>,
}

/// What a look at the sockets needs.
pub struct Scene<'s> {
    /// Where to ask for what they do.
    pub root: &'s ProcRoot,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// The sockets of each network namespace, by its number.
    pub listings: &'s BTreeMap<u64, Listing>,
    /// The inodes of sockets whose other end is asked for.
    pub asked: &'s HashSet<u64>,
    /// Sockets of Local Detective's own processes, which are not shown, nor what is connected to them.
    pub own: &'s HashSet<u64>,
    /// When the listing was made.
    pub at: Instant,
}

impl Network {
    /// For how many milliseconds a process has owed an answer.
    pub fn owing_ms(&self, process: usize) -> f64 {
        self.standings.get(&process).map_or(0.0, |standing| standing.owing_ms)
    }
}

impl Memory {
    /// Joins the sockets of a sweep.
    pub fn join(&mut self, scene: &Scene<'_>) -> Network {
        let owners = Owners::of(scene.processes);
        let mut network = Building::default();
        let elapsed = self.at.map(|at| scene.at.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let now = self.connections(scene);
        tcp::join(
            scene,
            &owners,
            &Earlier { before: &self.connections, listed: &self.listed, now: &now, elapsed, at: scene.at },
            &mut network,
        );
        self.unread = self.unread.next(scene, &owners);
        unix::join(scene, &owners, &self.unread, &mut network);
        self.connections = now;
        let listed = scene.listings.iter().filter(|(_, listing)| !listing.refused);
        network.network.listed = listed.map(|(namespace, _)| *namespace).collect();
        self.listed.clone_from(&network.network.listed);
        self.at = Some(scene.at);
        network.finish()
    }

    /// What is to be remembered of the connections of this sweep.
    fn connections(&self, scene: &Scene<'_>) -> HashMap<(u64, u64), Remembered> {
        let sockets = scene
            .listings
            .iter()
            .flat_map(|(namespace, listing)| listing.sockets.tcp.iter().map(|socket| (*namespace, socket)));
        let remember = |(namespace, socket): (u64, &TcpSocket)| {
            let key = (namespace, socket.cookie?);
            let taken = socket.talk?.received.saturating_sub(u64::from(socket.recv_queue));
            let before = self.connections.get(&key).filter(|before| before.taken == taken);
            let since = before.and_then(|before| before.unread_since).unwrap_or(scene.at);
            let unread_since = (socket.recv_queue > 0).then_some(since);
            Some((key, Remembered { retransmits: socket.retransmits?, taken, unread_since }))
        };
        sockets.filter(|(_, socket)| !socket.listens).filter_map(remember).collect()
    }
}

/// Which processes have a socket open, the oldest first.
struct Owners {
    by_socket: HashMap<u64, Vec<usize>>,
    // The parent's number by a process's own.
    parents: HashMap<u32, u32>,
}

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
        let parents = processes.iter().map(|process| (process.identity.pid, process.parent)).collect();
        Owners { by_socket: owners, parents }
    }

    fn of_socket(&self, inode: u64) -> &[usize] {
        self.by_socket.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// The owners of a listener that accept its connections: who has one below itself that has it open too only keeps it for that one, as
    /// a service manager does, or the process that started workers.
    fn accepting(&self, processes: &[Process], inode: u64) -> Vec<usize> {
        let owners = self.of_socket(inode);
        if owners.len() < 2 {
            return owners.to_vec();
        }
        let pid = |at: &usize| processes.get(*at).map(|process| process.identity.pid);
        let above = |at: &usize| ancestors(&self.parents, pid(at).unwrap_or(0));
        let keepers: HashSet<u32> = owners.iter().flat_map(above).collect();
        owners.iter().copied().filter(|at| pid(at).is_some_and(|pid| !keepers.contains(&pid))).collect()
    }

    fn role(&self, processes: &[Process], inode: u64) -> String {
        let oldest = self.of_socket(inode).first().and_then(|at| processes.get(*at));
        oldest.map_or("-".to_owned(), |process| process.about.role.clone())
    }
}

/// The parent of a process, its parent, and so on. Parents are told one after another, so that they can form a ring.
fn ancestors(parents: &HashMap<u32, u32>, pid: u32) -> HashSet<u32> {
    let mut above = HashSet::new();
    let mut at = pid;
    while let Some(parent) = parents.get(&at)
        && *parent != pid
        && above.insert(*parent)
    {
        at = *parent;
    }
    above
}

/// What connections are compared with.
struct Earlier<'m> {
    before: &'m HashMap<(u64, u64), Remembered>,
    // The namespaces that the sweep before listed.
    listed: &'m BTreeSet<u64>,
    now: &'m HashMap<(u64, u64), Remembered>,
    elapsed: Option<f64>,
    at: Instant,
}

impl Earlier<'_> {
    /// How many segments a second the connection sent again.
    fn resent(&self, namespace: u64, socket: &TcpSocket) -> Measured {
        let (Some(cookie), Some(now)) = (socket.cookie, socket.retransmits) else { return Err(Reason::Unsupported) };
        let elapsed = self.elapsed.filter(|_| self.listed.contains(&namespace)).ok_or(Reason::FirstSweep)?;
        let before = self.before.get(&(namespace, cookie)).map_or(0, |before| before.retransmits);
        Ok(f64::from(now.saturating_sub(before)) / elapsed)
    }

    /// For how many milliseconds what it received has not been read.
    fn unread_ms(&self, namespace: u64, socket: &TcpSocket) -> f64 {
        let known = socket.cookie.and_then(|cookie| self.now.get(&(namespace, cookie)));
        let since = known.and_then(|known| known.unread_since);
        since.map_or(0.0, |since| self.at.duration_since(since).as_secs_f64() * 1000.0)
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
        let known = self.network.links.entry((source, target, tie)).or_insert(Link { count: 0, ..link });
        // Several sockets that listen at one endpoint are one endpoint.
        known.count = if tie == Tie::Connects { known.count + link.count } else { 1 };
        known.observed |= link.observed;
        known.latency_ms = larger(known.latency_ms, link.latency_ms);
        known.blocked_ms = larger(known.blocked_ms, link.blocked_ms);
    }

    fn standing(&mut self, process: usize) -> &mut Standing {
        self.network.standings.entry(process).or_default()
    }

    /// Notes what these processes owe and have left unread.
    fn owe(&mut self, processes: &[usize], owing_ms: f64, unread_ms: f64) {
        for process in processes {
            let standing = self.standing(*process);
            standing.owing_ms = standing.owing_ms.max(owing_ms);
            standing.unread_ms = standing.unread_ms.max(unread_ms);
        }
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
