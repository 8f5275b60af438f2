//! Compares a connection with its state in the sweep before.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use hostread::parse::sockets::TcpSocket;

use collector::measure::{Measured, Reason};

/// State of a connection that is kept for the next sweep.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionState {
    pub(super) retransmits: u32,
    // Bytes that were read from the socket, and since when that number has not grown although more
    // is unread.
    pub(super) bytes_read: u64,
    pub(super) unread_since: Option<Instant>,
}

/// The state of the sweep before.
pub(super) struct Comparison<'m> {
    pub(super) before: &'m HashMap<(u64, u64), ConnectionState>,
    // Network namespaces that were listed in the sweep before.
    pub(super) listed: &'m BTreeSet<u64>,
    pub(super) now: &'m HashMap<(u64, u64), ConnectionState>,
    pub(super) elapsed: Option<f64>,
    pub(super) at: Instant,
}

impl Comparison<'_> {
    /// Retransmitted segments per second on the connection since the sweep before.
    pub(super) fn retransmit_rate(&self, namespace: u64, socket: &TcpSocket) -> Measured {
        let (Some(cookie), Some(now)) = (socket.cookie, socket.retransmits) else { return Err(Reason::Unsupported) };
        let elapsed = self.elapsed.filter(|_| self.listed.contains(&namespace)).ok_or(Reason::FirstSweep)?;
        let before = self.before.get(&(namespace, cookie)).map_or(0, |before| before.retransmits);
        Ok(f64::from(now.saturating_sub(before)) / elapsed)
    }

    /// How long received data has been unread, in milliseconds.
    pub(super) fn unread_ms(&self, namespace: u64, socket: &TcpSocket) -> f64 {
        let known = socket.cookie.and_then(|cookie| self.now.get(&(namespace, cookie)));
        let since = known.and_then(|known| known.unread_since);
        since.map_or(0.0, |since| self.at.duration_since(since).as_secs_f64() * 1000.0)
    }
}
