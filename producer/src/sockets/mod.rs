//! The sockets of one network namespace, from the kernel's listing or, if it is refused, from `/proc/PID/net`.

mod netlink;

use std::net::SocketAddr;

use crate::{
    parse,
    read::{Directory, Seen},
    tape::Tape,
};

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
    pub listens: bool,
    /// Bytes that are not read yet; of a listener connections that are not accepted yet.
    pub recv_queue: u32,
    /// Bytes that are not acknowledged yet; of a listener the longest queue it allows.
    pub send_queue: u32,
    /// Smoothed round-trip time.
    pub rtt_ms: Option<f32>,
    /// Segments sent again, since the connection began.
    pub retransmits: Option<u32>,
}

/// A Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// The number in `socket:[..]`.
    pub inode: u64,
    /// The inode of the other end.
    pub peer: Option<u64>,
    /// Where it is bound; abstract names begin with `@`. The accepting end has its listener's.
    pub name: Option<String>,
    /// Whether it listens.
    pub listens: bool,
    /// Of a listener: the inodes of the clients that are not accepted yet.
    pub pending: Vec<u64>,
    /// Of a listener connections, else bytes that are not taken yet.
    pub queued: u32,
}

/// All sockets of a network namespace.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// TCP over IPv4 and IPv6.
    pub tcp: Vec<TcpSocket>,
    /// Unix.
    pub unix: Vec<UnixSocket>,
}

/// The sockets, and whether they came from the listing, which alone tells round-trip times and Unix peers.
pub struct Listing {
    /// What there is.
    pub sockets: Sockets,
    /// Whether the kernel's listing was refused.
    pub refused: bool,
}

/// Lists the sockets of this process's own namespace, or those that `net` (a `/proc/PID/net`) tells.
pub fn list(own_namespace: bool, net: &Seen<Directory>, tape: &Tape, buffer: &mut Vec<u8>) -> Listing {
    if own_namespace && let Seen::Here(sockets) = netlink::list(tape, buffer) {
        return Listing { sockets, refused: false };
    }
    let mut sockets = Sockets::default();
    if let Seen::Here(net) = net {
        for name in ["tcp", "tcp6"] {
            if let Seen::Here(text) = net.read(name, buffer) {
                sockets.tcp.extend(parse::lines(text).filter_map(parse::net::tcp));
            }
        }
        if let Seen::Here(text) = net.read("unix", buffer) {
            sockets.unix.extend(parse::lines(text).filter_map(parse::net::unix));
        }
    }
    Listing { sockets, refused: true }
}
