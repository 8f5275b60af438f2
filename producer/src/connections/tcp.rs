//! TCP: listeners, connections within this host, and connections to others.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use super::{Building, Endpoint, Link, Owners, Resent, Scene, Target, Tie, larger};
use crate::{columns::Reason, sockets::TcpSocket};

/// Adds all TCP sockets to the network.
pub(super) fn join(scene: &Scene<'_>, owners: &Owners, resent: &Resent<'_>, network: &mut Building) {
    let ends = Ends::of(&scene.listing.sockets.tcp);
    let mut join = Join { scene, owners, resent, ends, network };
    join.listeners();
    let sockets = scene.listing.sockets.tcp.iter().filter(|socket| !socket.listens);
    sockets.for_each(|socket| join.connection(socket));
}

/// The sockets by their ends.
struct Ends<'s> {
    listeners: BTreeMap<u16, Vec<&'s TcpSocket>>,
    connected: HashMap<(SocketAddr, SocketAddr), &'s TcpSocket>,
    here: HashSet<IpAddr>,
}

impl<'s> Ends<'s> {
    fn of(sockets: &'s [TcpSocket]) -> Ends<'s> {
        let mut ends = Ends { listeners: BTreeMap::new(), connected: HashMap::new(), here: HashSet::new() };
        for socket in sockets {
            ends.here.insert(socket.local.ip());
            if socket.listens {
                ends.listeners.entry(socket.local.port()).or_default().push(socket);
            } else {
                ends.connected.insert((socket.local, socket.remote), socket);
            }
        }
        ends
    }

    /// The listener that takes connections to that address of this host.
    fn listener(&self, address: SocketAddr) -> Option<&'s TcpSocket> {
        let listeners = self.listeners.get(&address.port())?;
        let exact = listeners.iter().find(|listener| listener.local.ip() == address.ip());
        exact.or_else(|| listeners.iter().find(|listener| listener.local.ip().is_unspecified())).copied()
    }

    /// The other end of a connection within this host.
    fn peer(&self, socket: &TcpSocket) -> Option<&'s TcpSocket> {
        self.connected.get(&(socket.remote, socket.local)).copied()
    }

    fn is_here(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.here.contains(&ip)
    }
}

struct Join<'j, 's> {
    scene: &'j Scene<'s>,
    owners: &'j Owners,
    resent: &'j Resent<'j>,
    ends: Ends<'s>,
    network: &'j mut Building,
}

impl Join<'_, '_> {
    fn is_own(&self, socket: Option<&TcpSocket>) -> bool {
        socket.is_some_and(|socket| self.scene.own.contains(&socket.inode))
    }

    fn listeners(&mut self) {
        let listeners: Vec<&TcpSocket> = self.ends.listeners.values().flatten().copied().collect();
        for listener in listeners {
            if self.is_own(Some(listener)) {
                continue;
            }
            let at = self.listening(listener);
            if let Some(endpoint) = self.network.at(at) {
                // Several sockets may listen at one address (`SO_REUSEPORT`); what waits, waits at all of them.
                *endpoint.accept_queue.get_or_insert(0) += u64::from(listener.recv_queue);
            }
            for owner in self.owners.of_socket(listener.inode) {
                let link = Link { observed: true, latency_ms: None };
                self.network.link(*owner, Target::Endpoint(at), Tie::Opens, link);
            }
        }
    }

    fn listening(&mut self, listener: &TcpSocket) -> usize {
        let Scene { processes, namespace, .. } = *self.scene;
        let address = listener.local.to_string();
        let owners = self.owners;
        self.network.endpoint(format!("e:{namespace}:tcp:{address}"), |id| Endpoint {
            role: format!("{}:{}", owners.role(processes, listener.inode), listener.local.port()),
            accept_queue: Some(0),
            ..endpoint(id, address)
        })
    }

    fn connection(&mut self, socket: &TcpSocket) {
        let peer = self.ends.peer(socket);
        let listener = self.ends.listener(socket.local);
        // A connection's own listener, if it still listens, tells that this is the server's end.
        if let Some(listener) = listener {
            if !self.is_own(Some(listener)) && !self.is_own(peer) && !self.is_own(Some(socket)) {
                let at = self.listening(listener);
                self.count(at, socket);
            }
            return;
        }
        let here = self.ends.is_here(socket.remote.ip());
        let remote_listener = if here { self.ends.listener(socket.remote) } else { None };
        if self.is_own(Some(socket)) || self.is_own(peer) || self.is_own(remote_listener) {
            return;
        }
        match (peer, remote_listener) {
            (None, None) => self.remote(socket),
            // Neither end listens any more: clients are given the high ports.
            (Some(_), None) if socket.local.port() < socket.remote.port() => {}
            (peer, listener) => self.within_host(socket, peer, listener),
        }
    }

    fn within_host(&mut self, socket: &TcpSocket, peer: Option<&TcpSocket>, listener: Option<&TcpSocket>) {
        let owners = self.owners;
        let accepted = peer.map_or(&[][..], |peer| owners.of_socket(peer.inode));
        // Until somebody accepts the connection it waits for whoever listens.
        let listening = listener.map_or(&[][..], |listener| owners.of_socket(listener.inode));
        let servers = if accepted.is_empty() { listening.get(..1).unwrap_or_default() } else { accepted };
        let mut targets: Vec<Target> = servers.iter().copied().map(Target::Process).collect();
        if targets.is_empty()
            && let Some(listener) = listener
        {
            targets.push(Target::Endpoint(self.listening(listener)));
        }
        let latency_ms = larger(socket.rtt_ms, peer.and_then(|peer| peer.rtt_ms));
        for client in owners.of_socket(socket.inode) {
            for target in &targets {
                self.network.link(*client, *target, Tie::Connects, Link { observed: listener.is_some(), latency_ms });
            }
        }
    }

    fn remote(&mut self, socket: &TcpSocket) {
        let clients = self.owners.of_socket(socket.inode);
        // Nobody here is seen to depend on it.
        if clients.is_empty() {
            return;
        }
        let address = socket.remote.to_string();
        let role = format!("remote:{}", socket.remote.port());
        let at = self.network.endpoint(format!("r:{address}"), |id| Endpoint { role, ..endpoint(id, address) });
        self.count(at, socket);
        for client in clients {
            let link = Link { observed: true, latency_ms: socket.rtt_ms };
            self.network.link(*client, Target::Endpoint(at), Tie::Connects, link);
        }
    }

    fn count(&mut self, at: usize, socket: &TcpSocket) {
        let resent = self.resent.per_second(socket.cookie, socket.retransmits);
        let Some(endpoint) = self.network.at(at) else { return };
        endpoint.connections += 1;
        endpoint.recv_queue += u64::from(socket.recv_queue);
        *endpoint.send_queue.get_or_insert(0) += u64::from(socket.send_queue);
        let rtt = socket.rtt_ms.ok_or(Reason::Unsupported);
        endpoint.rtt_ms = Some(match endpoint.rtt_ms {
            Some(Ok(known)) => Ok(rtt.map_or(known, |rtt| rtt.max(known))),
            _ => rtt,
        });
        endpoint.retransmits = Some(match (endpoint.retransmits, resent) {
            (Some(Ok(known)), Ok(resent)) => Ok(known + resent),
            (Some(known @ Ok(_)), Err(_)) => known,
            (_, resent) => resent,
        });
    }
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
        rtt_ms: None,
        retransmits: None,
    }
}
