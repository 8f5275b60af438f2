//! Unix sockets: listeners, and the two ends of each connection.

use std::collections::{HashMap, HashSet};

use super::{Building, Endpoint, Link, Owners, Scene, Target, Tie};
use crate::{role, sockets::UnixSocket};

/// Adds all Unix sockets to the network.
pub(super) fn join(scene: &Scene<'_>, owners: &Owners, network: &mut Building) {
    let sockets = &scene.listing.sockets.unix;
    let by_inode: HashMap<u64, &UnixSocket> = sockets.iter().map(|socket| (socket.inode, socket)).collect();
    let mut listening = HashMap::<&str, usize>::new();
    for listener in sockets.iter().filter(|socket| socket.listens && !scene.own.contains(&socket.inode)) {
        if let Some(name) = listener.name.as_deref() {
            listening.insert(name, add_listener(scene, owners, network, listener, name));
        }
    }
    let services: HashSet<&str> = listening.keys().copied().collect();
    for socket in sockets.iter().filter(|socket| !socket.listens) {
        let Some(peer) = socket.peer.and_then(|peer| by_inode.get(&peer)) else { continue };
        if scene.own.contains(&socket.inode) || scene.own.contains(&peer.inode) {
            continue;
        }
        if let Some(endpoint) = socket.name.as_deref().and_then(|name| listening.get(name)) {
            count(network, *endpoint, socket);
        }
        join_pair(scene, owners, network, &services, socket, peer);
    }
}

fn add_listener(
    scene: &Scene<'_>,
    owners: &Owners,
    network: &mut Building,
    listener: &UnixSocket,
    name: &str,
) -> usize {
    let at = network.endpoint(format!("e:{}:unix:{name}", scene.namespace), |id| Endpoint {
        id,
        role: format!("{}:{}", owners.role(scene.processes, listener.inode), role::fold_digits(name)),
        name: name.to_owned(),
        address: None,
        path: name.starts_with('/').then(|| name.to_owned()),
        connections: 0,
        recv_queue: 0,
        send_queue: None,
        accept_queue: Some(0),
        rtt_ms: None,
        retransmits: None,
    });
    if let Some(endpoint) = network.at(at) {
        *endpoint.accept_queue.get_or_insert(0) += u64::from(listener.queued);
    }
    let listeners = owners.of_socket(listener.inode);
    for owner in listeners {
        network.link(*owner, Target::Endpoint(at), Tie::Opens, Link { observed: true, latency_ms: None });
    }
    // Clients that nobody has accepted yet wait for whoever listens.
    for client in listener.pending.iter().filter(|client| !scene.own.contains(client)) {
        let target = listeners.first().map_or(Target::Endpoint(at), |server| Target::Process(*server));
        for client in owners.of_socket(*client) {
            network.link(*client, target, Tie::Connects, Link { observed: true, latency_ms: None });
        }
    }
    at
}

fn count(network: &mut Building, at: usize, socket: &UnixSocket) {
    if let Some(endpoint) = network.at(at) {
        endpoint.connections += 1;
        endpoint.recv_queue += u64::from(socket.queued);
    }
}

/// Links the owners of a socket to those of its peer, if it is the client of the two.
fn join_pair(
    scene: &Scene<'_>,
    owners: &Owners,
    network: &mut Building,
    services: &HashSet<&str>,
    socket: &UnixSocket,
    peer: &UnixSocket,
) {
    let serves = |socket: &UnixSocket| socket.name.as_deref().is_some_and(|name| services.contains(name));
    let (clients, servers) = (owners.of_socket(socket.inode), owners.of_socket(peer.inode));
    let is_client = match (serves(socket), serves(peer)) {
        (true, false) => return,
        (false, true) => true,
        // Nobody listens: only the one that others can find by name can serve.
        _ if socket.name.is_some() && peer.name.is_none() => return,
        _ => socket.name.is_none() && peer.name.is_some(),
    };
    let age = |at: usize| scene.processes.get(at).map(|process| (process.identity.start_time, process.identity.pid));
    for client in clients {
        for server in servers {
            // Of a pair without names the younger was most likely started by, and for, the older.
            if is_client || age(*client) > age(*server) {
                let link = Link { observed: is_client, latency_ms: None };
                network.link(*client, Target::Process(*server), Tie::Connects, link);
            }
        }
    }
}
