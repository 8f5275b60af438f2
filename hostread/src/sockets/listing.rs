//! Lists the sockets of one network namespace.

use super::sock_diag::SockDiag;
use crate::{
    directory::Directory,
    parse::{self, sockets::Sockets},
    seen::Seen,
    tape::Tape,
};

/// The sockets of a network namespace, and how they were listed.
pub struct SocketListing {
    /// The sockets of the namespace.
    pub sockets: Sockets,
    /// Whether they come from `/proc/PID/net` because `sock_diag` is not available. Then there are
    /// no times and no peers of Unix sockets.
    pub is_fallback: bool,
}

/// Lists the sockets of a network namespace with `sock_diag` or, if that fails, from `open_net`,
/// which opens a `/proc/PID/net`.
pub fn list_sockets(
    sock_diag: &mut SockDiag,
    open_net: impl FnOnce() -> Seen<Directory>,
    tape: &Tape,
    buffer: &mut Vec<u8>,
) -> Seen<SocketListing> {
    if let Seen::Here(sockets) = sock_diag.list(tape, buffer) {
        return Seen::Here(SocketListing { sockets, is_fallback: false });
    }
    open_net().map(|net| {
        let mut sockets = Sockets::default();
        for name in ["tcp", "tcp6"] {
            if let Seen::Here(text) = net.read(name, buffer) {
                sockets.tcp.extend(parse::lines(text).filter_map(parse::proc_net::parse_tcp_line));
            }
        }
        if let Seen::Here(text) = net.read("unix", buffer) {
            sockets.unix.extend(parse::lines(text).filter_map(parse::proc_net::parse_unix_line));
        }
        SocketListing { sockets, is_fallback: true }
    })
}
