//! What connections are compared with.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use hostread::parse::sockets::TcpSocket;

use crate::collect::measure::{Measured, Reason};

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionState {
    pub(super) retransmits: u32,
    // Bytes that were read from it, and since when it has been so many with more to read.
    pub(super) bytes_read: u64,
    pub(super) unread_since: Option<Instant>,
}

/// What connections are compared with.
pub(super) struct Comparison<'m> {
    pub(super) before: &'m HashMap<(u64, u64), ConnectionState>,
    // The namespaces that the sweep before listed.
    pub(super) listed: &'m BTreeSet<u64>,
    pub(super) now: &'m HashMap<(u64, u64), ConnectionState>,
    pub(super) elapsed: Option<f64>,
    pub(super) at: Instant,
}

impl Comparison<'_> {
    /// How many segments a second the connection sent again.
    pub(super) fn retransmit_rate(&self, namespace: u64, socket: &TcpSocket) -> Measured {
        let (Some(cookie), Some(now)) = (socket.cookie, socket.retransmits) else { return Err(Reason::Unsupported) };
        let elapsed = self.elapsed.filter(|_| self.listed.contains(&namespace)).ok_or(Reason::FirstSweep)?;
        let before = self.before.get(&(namespace, cookie)).map_or(0, |before| before.retransmits);
        Ok(f64::from(now.saturating_sub(before)) / elapsed)
    }

    /// For how many milliseconds what it received has not been read.
    pub(super) fn unread_ms(&self, namespace: u64, socket: &TcpSocket) -> f64 {
        let known = socket.cookie.and_then(|cookie| self.now.get(&(namespace, cookie)));
        let since = known.and_then(|known| known.unread_since);
        since.map_or(0.0, |since| self.at.duration_since(since).as_secs_f64() * 1000.0)
    }
}
