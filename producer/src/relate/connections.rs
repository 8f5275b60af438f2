//! Who is connected to whom: sockets joined by their ends, and to the processes that have them open.

mod history;
mod network;
mod owners;
mod scene;
mod tcp;
mod unix;
mod unread;

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use hostread::parse::sockets::TcpSocket;

use history::{Earlier, Remembered};
use network::Building;
pub use network::{Endpoint, Link, Network, Standing, Target, Tie};
use owners::Owners;
pub use scene::Scene;
use unread::Unread;

/// What is remembered from sweep to sweep of each connection, by namespace and cookie.
#[derive(Debug, Default)]
pub struct Memory {
    connections: HashMap<(u64, u64), Remembered>,
    unread: Unread,
    listed: BTreeSet<u64>,
    at: Option<Instant>,
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
