//! TCP: listeners, connections within this host, and connections to others.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
};

use hostread::parse::sockets::TcpSocket;

use super::{
    history::Earlier,
    network::{Building, Endpoint, Link, MIN_RESPONSE_WAIT_MS, OtherEnd, Target, Tie, larger},
    owners::Owners,
    scene::Scene,
};
use crate::collect::measure::{Measured, Reason};

/// Adds all TCP sockets to the network.
pub(super) fn join(scene: &Scene<'_>, owners: &Owners, earlier: &Earlier<'_>, network: &mut Building) {
    let ends = Ends::of(scene);
    let mut join = Join { scene, owners, earlier, ends, network };
    join.listeners();
    for (namespace, listing) in scene.listings {
        for socket in listing.sockets.tcp.iter().filter(|socket| !socket.listens) {
            join.connection(&Placed { namespace: *namespace, socket });
        }
    }
}

/// A socket in its network namespace.
#[derive(Clone, Copy)]
struct Placed<'s> {
    namespace: u64,
    socket: &'s TcpSocket,
}

/// The sockets by their ends.
struct Ends<'s> {
    listeners: BTreeMap<(u64, u16), Vec<Placed<'s>>>,
    connected: HashMap<(Option<u64>, SocketAddr, SocketAddr), Placed<'s>>,
    // In which namespaces an address is.
    homes: HashMap<IpAddr, BTreeSet<u64>>,
}

/// Loopback addresses are other ones in each namespace.
fn scope(namespace: u64, address: SocketAddr) -> Option<u64> {
    address.ip().is_loopback().then_some(namespace)
}

impl<'s> Ends<'s> {
    fn of(scene: &Scene<'s>) -> Ends<'s> {
        let mut ends = Ends { listeners: BTreeMap::new(), connected: HashMap::new(), homes: HashMap::new() };
        for (namespace, listing) in scene.listings {
            for socket in &listing.sockets.tcp {
                let placed = Placed { namespace: *namespace, socket };
                ends.homes.entry(socket.local.ip()).or_default().insert(*namespace);
                if socket.listens {
                    ends.listeners.entry((*namespace, socket.local.port())).or_default().push(placed);
                } else {
                    ends.connected.insert((scope(*namespace, socket.local), socket.local, socket.remote), placed);
                }
            }
        }
        ends
    }

    /// The listener that takes connections to that address of that namespace.
    fn listener(&self, namespace: u64, address: SocketAddr) -> Option<Placed<'s>> {
        let listeners = self.listeners.get(&(namespace, address.port()))?;
        let exact = listeners.iter().find(|listener| listener.socket.local.ip() == address.ip());
        let any = || listeners.iter().find(|listener| listener.socket.local.ip().is_unspecified());
        exact.or_else(any).copied()
    }

    /// The listener at the other end, if that is on this host.
    fn remote_listener(&self, placed: &Placed<'s>) -> Option<Placed<'s>> {
        let remote = placed.socket.remote;
        let homes = self.homes.get(&remote.ip());
        let is_here = |namespace: u64| homes.is_some_and(|homes| homes.contains(&namespace));
        if remote.ip().is_loopback() || is_here(placed.namespace) {
            return self.listener(placed.namespace, remote);
        }
        // Separate networks may use the same address; then it is not known whose this is.
        let mut homes = homes?.iter();
        let only = homes.next().filter(|_| homes.next().is_none())?;
        self.listener(*only, remote)
    }

    /// The other end of a connection within this host.
    fn peer(&self, placed: &Placed<'s>) -> Option<Placed<'s>> {
        let Placed { namespace, socket } = placed;
        self.connected.get(&(scope(*namespace, socket.remote), socket.remote, socket.local)).copied()
    }
}

struct Join<'j, 's> {
    scene: &'j Scene<'s>,
    owners: &'j Owners,
    earlier: &'j Earlier<'j>,
    ends: Ends<'s>,
    network: &'j mut Building,
}

impl<'s> Join<'_, 's> {
    fn is_own(&self, placed: Option<Placed<'_>>) -> bool {
        placed.is_some_and(|placed| self.scene.own.contains(&placed.socket.inode))
    }

    fn listeners(&mut self) {
        let listeners: Vec<Placed<'_>> = self.ends.listeners.values().flatten().copied().collect();
        for listener in listeners {
            if self.is_own(Some(listener)) {
                continue;
            }
            let at = self.listening(listener);
            if let Some(endpoint) = self.network.at(at) {
                // Several sockets may listen at one address (`SO_REUSEPORT`); what waits, waits at all of them.
                *endpoint.accept_queue.get_or_insert(0) += u64::from(listener.socket.recv_queue);
                *endpoint.accept_limit.get_or_insert(0) += u64::from(listener.socket.send_queue);
            }
            for owner in self.owners.of_socket(listener.socket.inode) {
                self.network.link(*owner, Target::Endpoint(at), Tie::Opens, Link::of(true));
            }
        }
    }

    fn accepting(&self, listener: Placed<'_>) -> Vec<usize> {
        self.owners.accepting(self.scene.processes, listener.socket.inode)
    }

    fn listening(&mut self, listener: Placed<'_>) -> usize {
        let Placed { namespace, socket } = listener;
        let (address, processes, owners) = (socket.local.to_string(), self.scene.processes, self.owners);
        self.network.endpoint(format!("e:{namespace}:tcp:{address}"), |id| Endpoint {
            role: format!("{}:{}", owners.role(processes, socket.inode), socket.local.port()),
            accept_queue: Some(0),
            ..endpoint(id, address)
        })
    }

    fn connection(&mut self, placed: &Placed<'s>) {
        let Placed { namespace, socket } = *placed;
        let peer = self.ends.peer(placed);
        // A connection's own listener, if it still listens, tells that this is the server's end.
        if let Some(listener) = self.ends.listener(namespace, socket.local) {
            if !self.is_own(Some(listener)) && !self.is_own(peer) && !self.is_own(Some(*placed)) {
                self.serving(placed, listener, peer);
            }
            return;
        }
        let remote_listener = self.ends.remote_listener(placed);
        if self.is_own(Some(*placed)) || self.is_own(peer) || self.is_own(remote_listener) {
            return;
        }
        match (peer, remote_listener) {
            (None, None) => self.remote(placed),
            // Neither end listens any more: clients are given the high ports.
            (Some(_), None) if socket.local.port() < socket.remote.port() => {}
            (peer, listener) => self.within_host(placed, peer, listener),
        }
    }

    /// The server's end of a connection.
    fn serving(&mut self, placed: &Placed<'_>, listener: Placed<'_>, peer: Option<Placed<'_>>) {
        let Placed { namespace, socket } = *placed;
        let at = self.listening(listener);
        self.count(at, placed);
        let owing = f64::from(socket.owing_ms().unwrap_or(0));
        let unread = self.earlier.unread_ms(namespace, socket);
        let owners = self.owners;
        let accepted = owners.of_socket(socket.inode);
        // Nobody has accepted it yet: that is up to whoever listens.
        let accepting = if accepted.is_empty() { self.accepting(listener) } else { Vec::new() };
        self.network.owe(if accepted.is_empty() { &accepting } else { accepted }, owing, unread);
        let clients = peer.map_or(&[][..], |peer| owners.of_socket(peer.socket.inode));
        self.note_other_end(socket.inode, clients, true);
    }

    fn within_host(&mut self, placed: &Placed<'_>, peer: Option<Placed<'_>>, listener: Option<Placed<'_>>) {
        let (socket, owners) = (placed.socket, self.owners);
        let accepted = peer.map_or(&[][..], |peer| owners.of_socket(peer.socket.inode));
        // Until somebody accepts the connection it waits for whoever listens.
        let accepting = listener.filter(|_| accepted.is_empty()).map_or(Vec::new(), |at| self.accepting(at));
        let servers = if accepted.is_empty() { accepting.get(..1).unwrap_or_default() } else { accepted };
        let mut targets: Vec<Target> = servers.iter().copied().map(Target::Process).collect();
        if targets.is_empty()
            && let Some(listener) = listener
        {
            targets.push(Target::Endpoint(self.listening(listener)));
        }
        // What the server's end sent again is counted with that end.
        if let Some(listener) = listener {
            let (at, resent) = (self.listening(listener), self.earlier.resent(placed.namespace, socket));
            self.add_resent(at, resent);
        }
        let latency_ms = larger(socket.rtt_ms, peer.and_then(|peer| peer.socket.rtt_ms));
        let link = Link { latency_ms, ..Link::of(listener.is_some()) };
        self.client_of(placed, peer, &targets, link);
        self.note_other_end(socket.inode, servers, false);
    }

    fn remote(&mut self, placed: &Placed<'_>) {
        let socket = placed.socket;
        // Nobody here is seen to depend on it.
        if self.owners.of_socket(socket.inode).is_empty() {
            return;
        }
        let address = socket.remote.to_string();
        let role = format!("remote:{}", socket.remote.port());
        let at = self.network.endpoint(format!("r:{address}"), |id| Endpoint { role, ..endpoint(id, address) });
        self.count(at, placed);
        if let Some(endpoint) = self.network.at(at) {
            let owing = socket.talk.map(|_| answer_wait_ms(socket, None)).ok_or(Reason::Unsupported);
            endpoint.owing_ms = Some(match (endpoint.owing_ms, owing) {
                (Some(Ok(known)), Ok(owing)) => Ok(owing.max(known)),
                (_, owing) => owing,
            });
        }
        let link = Link { latency_ms: socket.rtt_ms, ..Link::of(true) };
        self.client_of(placed, None, &[Target::Endpoint(at)], link);
    }

    /// The client's end of a connection.
    fn client_of(&mut self, placed: &Placed<'_>, peer: Option<Placed<'_>>, targets: &[Target], link: Link) {
        let Placed { namespace, socket } = *placed;
        let answer_wait_ms = answer_wait_ms(socket, peer);
        let blocked_ms = Some(answer_wait_ms as f32).filter(|millis| *millis >= MIN_RESPONSE_WAIT_MS);
        let unread = self.earlier.unread_ms(namespace, socket);
        for client in self.owners.of_socket(socket.inode) {
            let standing = self.network.standing(*client);
            standing.clients += 1;
            standing.answer_wait_ms = standing.answer_wait_ms.max(answer_wait_ms);
            standing.unread_ms = standing.unread_ms.max(unread);
            for target in targets {
                self.network.link(*client, *target, Tie::Connects, Link { blocked_ms, ..link });
            }
        }
    }

    fn note_other_end(&mut self, inode: u64, processes: &[usize], are_clients: bool) {
        if self.scene.asked.contains(&inode) {
            let other_end = OtherEnd { processes: processes.to_vec(), are_clients };
            self.network.network.other_ends.insert(inode, other_end);
        }
    }

    fn count(&mut self, at: usize, placed: &Placed<'_>) {
        let Placed { namespace, socket } = *placed;
        let resent = self.earlier.resent(namespace, socket);
        let Some(endpoint) = self.network.at(at) else { return };
        endpoint.connections += 1;
        endpoint.recv_queue += u64::from(socket.recv_queue);
        *endpoint.send_queue.get_or_insert(0) += u64::from(socket.send_queue);
        let rtt = socket.rtt_ms.ok_or(Reason::Unsupported);
        endpoint.rtt_ms = Some(match endpoint.rtt_ms {
            Some(Ok(known)) => Ok(rtt.map_or(known, |rtt| rtt.max(known))),
            _ => rtt,
        });
        self.add_resent(at, resent);
    }

    fn add_resent(&mut self, at: usize, resent: Measured) {
        let Some(endpoint) = self.network.at(at) else { return };
        endpoint.retransmits = Some(match (endpoint.retransmits, resent) {
            (Some(Ok(known)), Ok(resent)) => Ok(known + resent),
            (Some(known @ Ok(_)), Err(_)) => known,
            (_, resent) => resent,
        });
    }
}

/// For how many milliseconds a client has waited for an answer. What its server has not read has none, whatever the clocks say.
fn answer_wait_ms(socket: &TcpSocket, peer: Option<Placed<'_>>) -> f64 {
    let unread = || peer.is_some_and(|peer| peer.socket.recv_queue > 0);
    let since_sent = || socket.talk.filter(|_| unread()).map(|talk| talk.since_sent);
    f64::from(socket.unanswered_ms().or_else(since_sent).unwrap_or(0))
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
        owing_ms: None,
    }
}
