//! Receives the kernel's socket listings without parsing them.

use std::io;

use anyhow::bail;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{self, ExtensionFlags, InetRequest, SocketId},
    unix::{self, ShowFlags, UnixRequest},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

/// A `sock_diag` listing.
#[derive(Clone, Copy)]
pub enum Listing {
    /// TCP over IPv4.
    Tcp,
    /// TCP over IPv6.
    Tcp6,
    /// Unix sockets.
    Unix,
}

impl Listing {
    /// Returns the listing with that name on a tape.
    pub fn from_name(name: &str) -> anyhow::Result<Listing> {
        Ok(match name {
            "tcp" => Listing::Tcp,
            "tcp6" => Listing::Tcp6,
            "unix" => Listing::Unix,
            other => {
                bail!("the raw floor does not know the listing `{other}`; teach it in `producer/examples/cost/dump.rs`")
            }
        })
    }

    /// The request that a sweep sends.
    fn request(self) -> SockDiagMessage {
        let tcp = |family, socket_id| {
            let states = inet::StateFlags::all() - inet::StateFlags::TIME_WAIT - inet::StateFlags::CLOSE;
            let extensions = ExtensionFlags::INFO;
            SockDiagMessage::InetRequest(InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id })
        };
        match self {
            Listing::Tcp => tcp(AF_INET, SocketId::new_v4()),
            Listing::Tcp6 => tcp(AF_INET6, SocketId::new_v6()),
            Listing::Unix => SockDiagMessage::UnixRequest(UnixRequest {
                state_flags: unix::StateFlags::all(),
                inode: 0,
                show_flags: ShowFlags::NAME | ShowFlags::PEER | ShowFlags::ICONS | ShowFlags::RQLEN,
                cookie: [0; 8],
            }),
        }
    }
}

/// An open netlink socket.
pub struct Dump(Socket);

impl Dump {
    /// Opens the socket.
    pub fn open() -> io::Result<Dump> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Dump(socket))
    }

    /// Requests a listing and receives all of it.
    pub fn receive(&self, listing: Listing, buffer: &mut [u8]) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(listing.request()));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        loop {
            let n = self.0.recv(&mut &mut *buffer, 0)?;
            if n == 0 || buffer.get(..n).is_none_or(is_last) {
                return Ok(());
            }
        }
    }
}

/// Whether a datagram ends a listing. Only the length and type of each message are parsed.
fn is_last(mut datagram: &[u8]) -> bool {
    const NLMSG_ERROR: u16 = 2;
    const NLMSG_DONE: u16 = 3;
    while let Some([a, b, c, d, e, f]) = datagram.first_chunk() {
        if matches!(u16::from_ne_bytes([*e, *f]), NLMSG_ERROR | NLMSG_DONE) {
            return true;
        }
        let length = u32::from_ne_bytes([*a, *b, *c, *d]).max(16).next_multiple_of(4);
        datagram = datagram.get(length as usize..).unwrap_or_default();
    }
    false
}
