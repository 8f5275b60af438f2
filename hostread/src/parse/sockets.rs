//! TCP and Unix sockets, as the kernel lists them.

use std::net::SocketAddr;

/// A TCP socket that is listening or connected.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSocket {
    /// Inode number, as in `socket:[..]`. 0 for a connection that was not accepted yet.
    pub inode: u64,
    /// The kernel's id of the socket, which is never reused. `None` from `/proc/PID/net`.
    pub cookie: Option<u64>,
    /// Local address. A mapped IPv4 address is converted to IPv4.
    pub local: SocketAddr,
    /// Address of the peer.
    pub remote: SocketAddr,
    /// Whether the socket is listening.
    pub is_listening: bool,
    /// Unread bytes. If listening: number of connections to accept.
    pub recv_queue: u32,
    /// Unacknowledged bytes. If listening: the backlog limit.
    pub send_queue: u32,
    /// Smoothed round-trip time, in milliseconds.
    pub rtt_ms: Option<f32>,
    /// Number of retransmitted segments.
    pub retransmits: Option<u32>,
    /// What was sent and received, and when.
    pub activity: Option<TcpActivity>,
}

/// When a TCP connection last carried data, and how much in total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpActivity {
    /// Time since data was last sent, in milliseconds.
    pub ms_since_sent: u32,
    /// Time since data was last received, in milliseconds.
    pub ms_since_received: u32,
    /// Sent bytes that the peer has acknowledged. Includes one for the handshake.
    pub acked_bytes: u64,
    /// Bytes received from the peer.
    pub received_bytes: u64,
}

impl TcpSocket {
    /// Time since this end sent data that the peer has not answered with data, in milliseconds.
    /// `None` if the peer sent last.
    #[inline]
    pub fn response_wait_ms(&self) -> Option<u32> {
        let activity = self.activity?;
        // The two times are equal if a request and its response arrive within one kernel tick.
        let sent_last = activity.received_bytes == 0 || activity.ms_since_sent < activity.ms_since_received;
        (self.has_sent(activity) && sent_last).then_some(activity.ms_since_sent)
    }

    /// Time since this end received data that it has not answered with data, in milliseconds.
    /// `None` if it sent last.
    #[inline]
    pub fn pending_request_ms(&self) -> Option<u32> {
        let activity = self.activity?;
        let received_last =
            !self.has_sent(activity) || self.recv_queue > 0 || activity.ms_since_received < activity.ms_since_sent;
        (activity.received_bytes > 0 && received_last).then_some(activity.ms_since_received)
    }

    #[inline]
    fn has_sent(&self, activity: TcpActivity) -> bool {
        activity.acked_bytes > 1 || self.send_queue > 0
    }
}

/// A Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Inode number, as in `socket:[..]`.
    pub inode: u64,
    /// Inode number of the peer.
    pub peer_inode: Option<u64>,
    /// Path or abstract name that the socket is bound to; abstract names start with `@`. The
    /// server's end of a connection has the name of its listening socket.
    pub name: Option<String>,
    /// Whether it is listening.
    pub is_listening: bool,
    /// If listening: inode numbers of clients that were not accepted yet.
    pub pending_clients: Vec<u64>,
    /// Unread bytes. If listening: number of connections to accept.
    pub recv_queue: u32,
    /// Memory of sent data that the peer has not read, in bytes. 0 if it is not known.
    pub send_queue: u32,
    /// If listening: the backlog limit.
    pub backlog: Option<u32>,
}

/// The sockets of a network namespace.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// TCP sockets over IPv4 and IPv6.
    pub tcp: Vec<TcpSocket>,
    /// Unix sockets.
    pub unix: Vec<UnixSocket>,
}
