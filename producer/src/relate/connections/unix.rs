//! Unix sockets: listeners, and the two ends of each connection.

use std::collections::HashMap;

use hostread::parse::{names::fold_digits, sockets::UnixSocket};

use super::{
    inputs::SocketInputs,
    network::{Endpoint, Link, LinkKind, MIN_RESPONSE_WAIT_MS, NetworkBuilder, PeerProcesses, Target},
    owners::Owners,
    unread::UnreadData,
};

/// Links the owners of all Unix sockets.
pub(super) fn link_owners(
    inputs: &SocketInputs<'_>,
    owners: &Owners,
    unread: &UnreadData,
    network: &mut NetworkBuilder,
) {
    let placed = inputs
        .listings
        .iter()
        .flat_map(|(namespace, listing)| listing.sockets.unix.iter().map(|socket| (*namespace, socket)));
    let sockets: Vec<(u64, &UnixSocket)> = placed.collect();
    let by_inode: HashMap<u64, &UnixSocket> = sockets.iter().map(|(_, socket)| (socket.inode, *socket)).collect();
    let mut listening = Listening::default();
    for (namespace, listener) in
        sockets.iter().filter(|(_, socket)| socket.is_listening && !inputs.own_sockets.contains(&socket.inode))
    {
        if let Some(name) = listener.name.as_deref() {
            let at = add_listener(inputs, owners, network, *namespace, listener, name);
            add_pending(inputs, owners, unread, network, listener, at);
            listening.add(*namespace, name, at);
        }
    }
    for (namespace, socket) in sockets.iter().filter(|(_, socket)| !socket.is_listening) {
        let Some(peer) = socket.peer_inode.and_then(|peer| by_inode.get(&peer)) else { continue };
        if inputs.own_sockets.contains(&socket.inode) || inputs.own_sockets.contains(&peer.inode) {
            continue;
        }
        let serves = |socket| listening.find(*namespace, socket);
        if let Some(endpoint) = serves(socket) {
            count(network, endpoint, socket);
        }
        let pair = Pair { socket, serves: serves(socket).is_some(), peer, is_served: serves(peer).is_some() };
        pair.link_owners(inputs, owners, unread, network);
    }
}

/// Endpoints of listeners, by namespace and name. A path is reachable from other network
/// namespaces, an abstract name is not.
#[derive(Default)]
struct Listening<'s> {
    endpoints: HashMap<(u64, &'s str), usize>,
    by_path: HashMap<&'s str, Vec<usize>>,
}

impl<'s> Listening<'s> {
    fn add(&mut self, namespace: u64, name: &'s str, endpoint: usize) {
        self.endpoints.insert((namespace, name), endpoint);
        if !name.starts_with('@') {
            self.by_path.entry(name).or_default().push(endpoint);
        }
    }

    /// Returns the endpoint that a socket is bound at. If several containers use the same path, a
    /// socket elsewhere is ambiguous.
    fn find(&self, namespace: u64, socket: &UnixSocket) -> Option<usize> {
        let name = socket.name.as_deref()?;
        let elsewhere = || match self.by_path.get(name)?.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        self.endpoints.get(&(namespace, name)).copied().or_else(elsewhere)
    }
}

fn add_listener(
    inputs: &SocketInputs<'_>,
    owners: &Owners,
    network: &mut NetworkBuilder,
    namespace: u64,
    listener: &UnixSocket,
    name: &str,
) -> usize {
    let at = network.endpoint(format!("e:{namespace}:unix:{name}"), |id| Endpoint {
        id,
        role: format!("{}:{}", owners.role(inputs.processes, listener.inode), fold_digits(name)),
        name: name.to_owned(),
        address: None,
        path: name.starts_with('/').then(|| name.to_owned()),
        connections: 0,
        recv_queue: 0,
        send_queue: None,
        accept_queue: Some(0),
        accept_limit: listener.backlog.map(|_| 0),
        rtt_ms: None,
        retransmits: None,
        pending_request_ms: None,
    });
    if let Some(endpoint) = network.at(at) {
        *endpoint.accept_queue.get_or_insert(0) += u64::from(listener.recv_queue);
        if let Some(limit) = listener.backlog {
            *endpoint.accept_limit.get_or_insert(0) += u64::from(limit);
        }
    }
    let listeners = owners.of_socket(listener.inode);
    for owner in listeners {
        network.link(*owner, Target::Endpoint(at), LinkKind::Opens, Link::new(true));
    }
    at
}

/// Adds clients that are not accepted yet: they wait for the accepting processes.
fn add_pending(
    inputs: &SocketInputs<'_>,
    owners: &Owners,
    unread: &UnreadData,
    network: &mut NetworkBuilder,
    listener: &UnixSocket,
    at: usize,
) {
    let accepting = owners.accepting(inputs.processes, listener.inode);
    for client in listener.pending_clients.iter().filter(|client| !inputs.own_sockets.contains(client)) {
        let target = accepting.first().map_or(Target::Endpoint(at), |server| Target::Process(*server));
        let late_ms = unread.pending_ms(*client);
        network.record_waits(&accepting, late_ms, late_ms);
        for owner in owners.of_socket(*client) {
            add_client(network, *owner, target, late_ms);
        }
        if inputs.wanted_peers.contains(client) {
            let processes = accepting.first().copied().into_iter().collect();
            network.network.peers.insert(*client, PeerProcesses { processes, are_clients: false });
        }
    }
}

/// Links a client to its server, which has not read the request for `late_ms` milliseconds.
fn add_client(network: &mut NetworkBuilder, client: usize, target: Target, late_ms: f64) {
    let stats = network.stats(client);
    stats.response_wait_ms = stats.response_wait_ms.max(late_ms);
    let blocked_ms = Some(late_ms as f32).filter(|millis| *millis >= MIN_RESPONSE_WAIT_MS);
    network.link(client, target, LinkKind::Connects, Link { blocked_ms, ..Link::new(true) });
}

fn count(network: &mut NetworkBuilder, at: usize, socket: &UnixSocket) {
    if let Some(endpoint) = network.at(at) {
        endpoint.connections += 1;
        endpoint.recv_queue += u64::from(socket.recv_queue);
    }
}

/// The two ends of a connection, and whether each is bound at a listener's name.
struct Pair<'s> {
    socket: &'s UnixSocket,
    serves: bool,
    peer: &'s UnixSocket,
    is_served: bool,
}

impl Pair<'_> {
    /// Links the owners of the socket to those of its peer, if it is the client's end.
    fn link_owners(
        &self,
        inputs: &SocketInputs<'_>,
        owners: &Owners,
        unread: &UnreadData,
        network: &mut NetworkBuilder,
    ) {
        let clients = owners.of_socket(self.socket.inode);
        let servers = owners.of_socket(self.peer.inode);
        network.record_waits(clients, 0.0, unread.received_ms(self.socket.inode));
        if inputs.wanted_peers.contains(&self.socket.inode) {
            let peer = PeerProcesses { processes: servers.to_vec(), are_clients: !self.is_client() };
            network.network.peers.insert(self.socket.inode, peer);
        }
        if self.serves && !self.is_served {
            return;
        }
        // Without a listener, only the end with a name can be the server.
        if self.serves == self.is_served && self.socket.name.is_some() && self.peer.name.is_none() {
            return;
        }
        // For any other pair it is not known whether it exchanges requests and responses.
        let late_ms = if self.is_client() { unread.received_ms(self.peer.inode) } else { 0.0 };
        network.record_waits(servers, late_ms, 0.0);
        let age = |at: usize| inputs.processes.get(at).map(|process| (process.key.start_time, process.key.pid));
        for client in clients {
            for server in servers {
                if self.is_client() {
                    network.stats(*client).clients += 1;
                    add_client(network, *client, Target::Process(*server), late_ms);
                } else if age(*client) > age(*server) {
                    // In a pair without names, the younger process was most likely started by the
                    // older one, to serve it.
                    network.link(*client, Target::Process(*server), LinkKind::Connects, Link::new(false));
                }
            }
        }
    }

    /// Whether the names prove that the socket is the client's end.
    fn is_client(&self) -> bool {
        match (self.serves, self.is_served) {
            (false, true) => true,
            (true, false) => false,
            _ => self.socket.name.is_none() && self.peer.name.is_some(),
        }
    }
}
