//! TCP sockets: listeners, connections within the host, and connections to other hosts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
};

use hostread::parse::sockets::TcpSocket;

use super::{
    comparison::Comparison,
    inputs::SocketInputs,
    network::{Endpoint, Link, LinkKind, MIN_RESPONSE_WAIT_MS, NetworkBuilder, PeerProcesses, Target, larger},
    owners::Owners,
};
use collector::measure::{Measured, Reason};

/// Links the owners of all TCP sockets.
pub(super) fn link_owners(
    inputs: &SocketInputs<'_>,
    owners: &Owners,
    earlier: &Comparison<'_>,
    network: &mut NetworkBuilder,
) {
    let index = SocketIndex::new(inputs);
    let mut join = TcpJoin { inputs, owners, earlier, index, network };
    join.listeners();
    for (namespace, listing) in inputs.listings {
        for socket in listing.sockets.tcp.iter().filter(|socket| !socket.is_listening) {
            join.connection(&NamespacedSocket { namespace: *namespace, socket });
        }
    }
}

/// A socket and its network namespace.
#[derive(Clone, Copy)]
struct NamespacedSocket<'s> {
    namespace: u64,
    socket: &'s TcpSocket,
}

/// Sockets indexed by their addresses.
struct SocketIndex<'s> {
    listeners: BTreeMap<(u64, u16), Vec<NamespacedSocket<'s>>>,
    connected: HashMap<(Option<u64>, SocketAddr, SocketAddr), NamespacedSocket<'s>>,
    // Network namespaces that use a local address.
    namespaces: HashMap<IpAddr, BTreeSet<u64>>,
}

/// Loopback addresses are local to a namespace.
fn scope(namespace: u64, address: SocketAddr) -> Option<u64> {
    address.ip().is_loopback().then_some(namespace)
}

impl<'s> SocketIndex<'s> {
    fn new(inputs: &SocketInputs<'s>) -> SocketIndex<'s> {
        let mut index =
            SocketIndex { listeners: BTreeMap::new(), connected: HashMap::new(), namespaces: HashMap::new() };
        for (namespace, listing) in inputs.listings {
            for socket in &listing.sockets.tcp {
                let placed = NamespacedSocket { namespace: *namespace, socket };
                index.namespaces.entry(socket.local.ip()).or_default().insert(*namespace);
                if socket.is_listening {
                    index.listeners.entry((*namespace, socket.local.port())).or_default().push(placed);
                } else {
                    index.connected.insert((scope(*namespace, socket.local), socket.local, socket.remote), placed);
                }
            }
        }
        index
    }

    /// Returns the listener that accepts connections to that address in that namespace.
    fn listener(&self, namespace: u64, address: SocketAddr) -> Option<NamespacedSocket<'s>> {
        let listeners = self.listeners.get(&(namespace, address.port()))?;
        let exact = listeners.iter().find(|listener| listener.socket.local.ip() == address.ip());
        let any = || listeners.iter().find(|listener| listener.socket.local.ip().is_unspecified());
        exact.or_else(any).copied()
    }

    /// Returns the listener at the other end, if it is on this host.
    fn remote_listener(&self, placed: &NamespacedSocket<'s>) -> Option<NamespacedSocket<'s>> {
        let remote = placed.socket.remote;
        let namespaces = self.namespaces.get(&remote.ip());
        let is_here = |namespace: u64| namespaces.is_some_and(|namespaces| namespaces.contains(&namespace));
        if remote.ip().is_loopback() || is_here(placed.namespace) {
            return self.listener(placed.namespace, remote);
        }
        // If separate networks use the same address, the owner is ambiguous.
        let mut namespaces = namespaces?.iter();
        let only = namespaces.next().filter(|_| namespaces.next().is_none())?;
        self.listener(*only, remote)
    }

    /// Returns the other end of a connection within the host.
    fn peer(&self, placed: &NamespacedSocket<'s>) -> Option<NamespacedSocket<'s>> {
        let NamespacedSocket { namespace, socket } = placed;
        self.connected.get(&(scope(*namespace, socket.remote), socket.remote, socket.local)).copied()
    }
}

struct TcpJoin<'j, 's> {
    inputs: &'j SocketInputs<'s>,
    owners: &'j Owners,
    earlier: &'j Comparison<'j>,
    index: SocketIndex<'s>,
    network: &'j mut NetworkBuilder,
}

impl<'s> TcpJoin<'_, 's> {
    fn is_own(&self, placed: Option<NamespacedSocket<'_>>) -> bool {
        placed.is_some_and(|placed| self.inputs.own_sockets.contains(&placed.socket.inode))
    }

    fn listeners(&mut self) {
        let listeners: Vec<NamespacedSocket<'_>> = self.index.listeners.values().flatten().copied().collect();
        for listener in listeners {
            if self.is_own(Some(listener)) {
                continue;
            }
            let at = self.listening(listener);
            if let Some(endpoint) = self.network.at(at) {
                // Several sockets can listen at one address (`SO_REUSEPORT`); their queues add up.
                *endpoint.accept_queue.get_or_insert(0) += u64::from(listener.socket.recv_queue);
                *endpoint.accept_limit.get_or_insert(0) += u64::from(listener.socket.send_queue);
            }
            for owner in self.owners.of_socket(listener.socket.inode) {
                self.network.link(*owner, Target::Endpoint(at), LinkKind::Opens, Link::new(true));
            }
        }
    }

    fn accepting(&self, listener: NamespacedSocket<'_>) -> Vec<usize> {
        self.owners.accepting(self.inputs.processes, listener.socket.inode)
    }

    fn listening(&mut self, listener: NamespacedSocket<'_>) -> usize {
        let NamespacedSocket { namespace, socket } = listener;
        let address = socket.local.to_string();
        let processes = self.inputs.processes;
        let owners = self.owners;
        self.network.endpoint(format!("e:{namespace}:tcp:{address}"), |id| Endpoint {
            role: format!("{}:{}", owners.role(processes, socket.inode), socket.local.port()),
            accept_queue: Some(0),
            ..endpoint(id, address)
        })
    }

    fn connection(&mut self, placed: &NamespacedSocket<'s>) {
        let NamespacedSocket { namespace, socket } = *placed;
        let peer = self.index.peer(placed);
        // If the connection's own listener still listens, this end is the server's.
        if let Some(listener) = self.index.listener(namespace, socket.local) {
            if !self.is_own(Some(listener)) && !self.is_own(peer) && !self.is_own(Some(*placed)) {
                self.serving(placed, listener, peer);
            }
            return;
        }
        let remote_listener = self.index.remote_listener(placed);
        if self.is_own(Some(*placed)) || self.is_own(peer) || self.is_own(remote_listener) {
            return;
        }
        match (peer, remote_listener) {
            (None, None) => self.remote(placed),
            // Neither end listens any more. Clients usually have the higher, ephemeral port.
            (Some(_), None) if socket.local.port() < socket.remote.port() => {}
            (peer, listener) => self.within_host(placed, peer, listener),
        }
    }

    /// Adds the server's end of a connection.
    fn serving(
        &mut self,
        placed: &NamespacedSocket<'_>,
        listener: NamespacedSocket<'_>,
        peer: Option<NamespacedSocket<'_>>,
    ) {
        let NamespacedSocket { namespace, socket } = *placed;
        let at = self.listening(listener);
        self.count(at, placed);
        let owing = f64::from(socket.pending_request_ms().unwrap_or(0));
        let unread = self.earlier.unread_ms(namespace, socket);
        let owners = self.owners;
        let accepted = owners.of_socket(socket.inode);
        // The connection is not accepted yet, so the accepting processes of the listener count.
        let accepting = if accepted.is_empty() { self.accepting(listener) } else { Vec::new() };
        self.network.record_waits(if accepted.is_empty() { &accepting } else { accepted }, owing, unread);
        let clients = peer.map_or(&[][..], |peer| owners.of_socket(peer.socket.inode));
        self.note_other_end(socket.inode, clients, true);
    }

    fn within_host(
        &mut self,
        placed: &NamespacedSocket<'_>,
        peer: Option<NamespacedSocket<'_>>,
        listener: Option<NamespacedSocket<'_>>,
    ) {
        let socket = placed.socket;
        let owners = self.owners;
        let accepted = peer.map_or(&[][..], |peer| owners.of_socket(peer.socket.inode));
        // Until the connection is accepted, it waits for the accepting processes of the listener.
        let accepting = listener.filter(|_| accepted.is_empty()).map_or(Vec::new(), |at| self.accepting(at));
        let servers = if accepted.is_empty() { accepting.get(..1).unwrap_or_default() } else { accepted };
        let mut targets: Vec<Target> = servers.iter().copied().map(Target::Process).collect();
        if targets.is_empty()
            && let Some(listener) = listener
        {
            targets.push(Target::Endpoint(self.listening(listener)));
        }
        // Segments that the server's end retransmitted are counted at that end.
        if let Some(listener) = listener {
            let (at, retransmit_rate) =
                (self.listening(listener), self.earlier.retransmit_rate(placed.namespace, socket));
            self.add_resent(at, retransmit_rate);
        }
        let latency_ms = larger(socket.rtt_ms, peer.and_then(|peer| peer.socket.rtt_ms));
        let link = Link { latency_ms, ..Link::new(listener.is_some()) };
        self.add_client(placed, peer, &targets, link);
        self.note_other_end(socket.inode, servers, false);
    }

    fn remote(&mut self, placed: &NamespacedSocket<'_>) {
        let socket = placed.socket;
        // No visible process has this end open.
        if self.owners.of_socket(socket.inode).is_empty() {
            return;
        }
        let address = socket.remote.to_string();
        let role = format!("remote:{}", socket.remote.port());
        let at = self.network.endpoint(format!("r:{address}"), |id| Endpoint { role, ..endpoint(id, address) });
        self.count(at, placed);
        if let Some(endpoint) = self.network.at(at) {
            let owing = socket.activity.map(|_| response_wait_ms(socket, None)).ok_or(Reason::Unsupported);
            endpoint.pending_request_ms = Some(match (endpoint.pending_request_ms, owing) {
                (Some(Ok(known)), Ok(owing)) => Ok(owing.max(known)),
                (_, owing) => owing,
            });
        }
        let link = Link { latency_ms: socket.rtt_ms, ..Link::new(true) };
        self.add_client(placed, None, &[Target::Endpoint(at)], link);
    }

    /// Adds the client's end of a connection.
    fn add_client(
        &mut self,
        placed: &NamespacedSocket<'_>,
        peer: Option<NamespacedSocket<'_>>,
        targets: &[Target],
        link: Link,
    ) {
        let NamespacedSocket { namespace, socket } = *placed;
        let response_wait_ms = response_wait_ms(socket, peer);
        let blocked_ms = Some(response_wait_ms as f32).filter(|millis| *millis >= MIN_RESPONSE_WAIT_MS);
        let unread = self.earlier.unread_ms(namespace, socket);
        for client in self.owners.of_socket(socket.inode) {
            let stats = self.network.stats(*client);
            stats.clients += 1;
            stats.response_wait_ms = stats.response_wait_ms.max(response_wait_ms);
            stats.unread_ms = stats.unread_ms.max(unread);
            for target in targets {
                self.network.link(*client, *target, LinkKind::Connects, Link { blocked_ms, ..link });
            }
        }
    }

    fn note_other_end(&mut self, inode: u64, processes: &[usize], are_clients: bool) {
        if self.inputs.wanted_peers.contains(&inode) {
            let peer = PeerProcesses { processes: processes.to_vec(), are_clients };
            self.network.network.peers.insert(inode, peer);
        }
    }

    fn count(&mut self, at: usize, placed: &NamespacedSocket<'_>) {
        let NamespacedSocket { namespace, socket } = *placed;
        let retransmit_rate = self.earlier.retransmit_rate(namespace, socket);
        let Some(endpoint) = self.network.at(at) else { return };
        endpoint.connections += 1;
        endpoint.recv_queue += u64::from(socket.recv_queue);
        *endpoint.send_queue.get_or_insert(0) += u64::from(socket.send_queue);
        let rtt = socket.rtt_ms.ok_or(Reason::Unsupported);
        endpoint.rtt_ms = Some(match endpoint.rtt_ms {
            Some(Ok(known)) => Ok(rtt.map_or(known, |rtt| rtt.max(known))),
            _ => rtt,
        });
        self.add_resent(at, retransmit_rate);
    }

    fn add_resent(&mut self, at: usize, retransmit_rate: Measured) {
        let Some(endpoint) = self.network.at(at) else { return };
        endpoint.retransmits = Some(match (endpoint.retransmits, retransmit_rate) {
            (Some(Ok(known)), Ok(retransmit_rate)) => Ok(known + retransmit_rate),
            (Some(known @ Ok(_)), Err(_)) => known,
            (_, retransmit_rate) => retransmit_rate,
        });
    }
}

/// How long a client has waited for a response, in milliseconds. A request that the server has not
/// read is unanswered, even if the time stamps look equal.
fn response_wait_ms(socket: &TcpSocket, peer: Option<NamespacedSocket<'_>>) -> f64 {
    let unread = || peer.is_some_and(|peer| peer.socket.recv_queue > 0);
    let since_sent = || socket.activity.filter(|_| unread()).map(|talk| talk.ms_since_sent);
    f64::from(socket.response_wait_ms().or_else(since_sent).unwrap_or(0))
}

fn endpoint(id: String, address: String) -> Endpoint {
    Endpoint {
        id,
        role: String::new(),
        name: address.clone(),
        address: Some(address),
        path: None,
        connections: 0,
        recv_queue: 0,
        send_queue: Some(0),
        accept_queue: None,
        accept_limit: None,
        rtt_ms: None,
        retransmits: None,
        pending_request_ms: None,
    }
}
