//! The sockets of one network namespace, from the kernel's listing or, if it is refused, from `/proc/PID/net`.

use super::sock_diag::SockDiag;
use crate::{
    directory::Directory,
    parse::{self, sockets::Sockets},
    seen::Seen,
    tape::Tape,
};

/// The sockets of a namespace, and whether they came from the kernel's listing, which alone tells times and Unix peers.
pub struct SocketListing {
    /// What there is.
    pub sockets: Sockets,
    /// Whether the kernel's listing was refused.
    pub is_fallback: bool,
}

/// Lists the sockets of the namespace that `conversation` is held in or, if the kernel refuses, those that `net` (a `/proc/PID/net`)
/// tells.
pub fn list_sockets(
    conversation: &mut SockDiag,
    net: impl FnOnce() -> Seen<Directory>,
    tape: &Tape,
    buffer: &mut Vec<u8>,
) -> Seen<SocketListing> {
    if let Seen::Here(sockets) = conversation.list(tape, buffer) {
        return Seen::Here(SocketListing { sockets, is_fallback: false });
    }
    net().map(|net| {
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
