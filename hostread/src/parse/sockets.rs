//! Sockets, as the kernel lists them.

use std::net::SocketAddr;

/// A TCP socket that listens or is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSocket {
    /// The number in `socket:[..]`; 0 for a connection that nobody has accepted yet.
    pub inode: u64,
    /// The kernel's own name for it, never used twice; none from `/proc/PID/net`.
    pub cookie: Option<u64>,
    /// This end; a mapped IPv4 address is an IPv4 address.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Whether it listens.
    pub is_listening: bool,
    /// Bytes that are not read yet; of a listener connections that are not accepted yet.
    pub recv_queue: u32,
    /// Bytes that are not acknowledged yet; of a listener the longest queue it allows.
    pub send_queue: u32,
    /// Smoothed round-trip time.
    pub rtt_ms: Option<f32>,
    /// Segments sent again, since the connection began.
    pub retransmits: Option<u32>,
    /// What was said when.
    pub activity: Option<TcpActivity>,
}

/// When a connection's ends last heard of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpActivity {
    /// Milliseconds since data was last sent.
    pub ms_since_sent: u32,
    /// Milliseconds since data was last received.
    pub ms_since_received: u32,
    /// Bytes that the other end has acknowledged, one for the beginning included.
    pub acked_bytes: u64,
    /// Bytes that were received.
    pub received_bytes: u64,
}

impl TcpSocket {
    /// For how many milliseconds what this end said has had no answer; none if the other end spoke last.
    #[inline]
    pub fn response_wait_ms(&self) -> Option<u32> {
        let talk = self.activity?;
        // What came within one tick of the kernel's clock is told as of one time: then it is taken for a question and its answer.
        let is_last = talk.received_bytes == 0 || talk.ms_since_sent < talk.ms_since_received;
        (self.has_spoken(talk) && is_last).then_some(talk.ms_since_sent)
    }

    /// For how many milliseconds this end has owed an answer; none if it spoke last.
    #[inline]
    pub fn pending_request_ms(&self) -> Option<u32> {
        let talk = self.activity?;
        let is_last = !self.has_spoken(talk) || self.recv_queue > 0 || talk.ms_since_received < talk.ms_since_sent;
        (talk.received_bytes > 0 && is_last).then_some(talk.ms_since_received)
    }

    #[inline]
    fn has_spoken(&self, talk: TcpActivity) -> bool {
        talk.acked_bytes > 1 || self.send_queue > 0
    }
}

/// A Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// The number in `socket:[..]`.
    pub inode: u64,
    /// The inode of the other end.
    pub peer_inode: Option<u64>,
    /// Where it is bound; abstract names begin with `@`. The accepting end has its listener's.
    pub name: Option<String>,
    /// Whether it listens.
    pub is_listening: bool,
    /// Of a listener: the inodes of the clients that are not accepted yet.
    pub pending_clients: Vec<u64>,
    /// Of a listener connections, else bytes that are not taken yet.
    pub recv_queue: u32,
    /// Bytes of memory for what it sent and the other end has not taken yet; 0 if that is not told.
    pub send_queue: u32,
    /// Of a listener: the longest queue that it allows.
    pub backlog: Option<u32>,
}

/// All sockets of a network namespace.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// TCP over IPv4 and IPv6.
    pub tcp: Vec<TcpSocket>,
    /// Unix.
    pub unix: Vec<UnixSocket>,
}
