//! Joins sockets to connections, and to the processes that have them open.

mod comparison;
mod inputs;
mod network;
mod owners;
mod tcp;
mod unix;
mod unread;

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use hostread::parse::sockets::TcpSocket;

use comparison::{Comparison, ConnectionState};
pub use inputs::SocketInputs;
use network::NetworkBuilder;
pub use network::{ConnectionStats, Endpoint, Link, LinkKind, Network, Target};
use owners::Owners;
use unread::UnreadData;

/// State kept between sweeps, per connection, keyed by network namespace and socket cookie.
#[derive(Debug, Default)]
pub struct History {
    connections: HashMap<(u64, u64), ConnectionState>,
    unread: UnreadData,
    listed: BTreeSet<u64>,
    at: Option<Instant>,
}

impl History {
    /// Joins the sockets of a sweep into a network of endpoints and links.
    pub fn join(&mut self, inputs: &SocketInputs<'_>) -> Network {
        let owners = Owners::new(inputs.processes);
        let mut network = NetworkBuilder::default();
        let elapsed = self.at.map(|at| inputs.at.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let now = self.connections(inputs);
        tcp::link_owners(
            inputs,
            &owners,
            &Comparison { before: &self.connections, listed: &self.listed, now: &now, elapsed, at: inputs.at },
            &mut network,
        );
        self.unread = self.unread.next(inputs, &owners);
        unix::link_owners(inputs, &owners, &self.unread, &mut network);
        self.connections = now;
        let listed = inputs.listings.iter().filter(|(_, listing)| !listing.is_fallback);
        network.network.listed = listed.map(|(namespace, _)| *namespace).collect();
        self.listed.clone_from(&network.network.listed);
        self.at = Some(inputs.at);
        network.finish()
    }

    /// The state of this sweep's connections that the next sweep compares with.
    fn connections(&self, inputs: &SocketInputs<'_>) -> HashMap<(u64, u64), ConnectionState> {
        let sockets = inputs
            .listings
            .iter()
            .flat_map(|(namespace, listing)| listing.sockets.tcp.iter().map(|socket| (*namespace, socket)));
        let remember = |(namespace, socket): (u64, &TcpSocket)| {
            let key = (namespace, socket.cookie?);
            let bytes_read = socket.activity?.received_bytes.saturating_sub(u64::from(socket.recv_queue));
            let before = self.connections.get(&key).filter(|before| before.bytes_read == bytes_read);
            let since = before.and_then(|before| before.unread_since).unwrap_or(inputs.at);
            let unread_since = (socket.recv_queue > 0).then_some(since);
            Some((key, ConnectionState { retransmits: socket.retransmits?, bytes_read, unread_since }))
        };
        sockets.filter(|(_, socket)| !socket.is_listening).filter_map(remember).collect()
    }
}
