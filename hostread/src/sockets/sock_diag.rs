//! Lists sockets with `sock_diag`, a netlink protocol.

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{self, ExtensionFlags, InetRequest, SocketId},
    unix::{self, ShowFlags, UnixRequest},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};

use crate::{
    parse::{sock_diag::parse_messages, sockets::Sockets},
    seen::Seen,
    tape::Tape,
};

/// A `sock_diag` connection to the kernel. It lists the sockets of the network namespace in which
/// it was opened.
pub struct SockDiag {
    // `None` in a playback.
    netlink: Option<Netlink>,
}

impl SockDiag {
    /// Opens a connection in the network namespace of the calling thread.
    ///
    /// # Errors
    /// Those of the system calls.
    pub fn open() -> io::Result<SockDiag> {
        Ok(SockDiag { netlink: Some(Netlink::open()?) })
    }

    /// A connection for playbacks, whose tape holds all answers. Without a playback, listing is
    /// `Unsupported`.
    pub fn for_playback() -> SockDiag {
        SockDiag { netlink: None }
    }

    /// Lists TCP sockets over IPv4 and IPv6, and Unix sockets. Uses `buffer` for the answers.
    pub fn list(&mut self, tape: &Tape, buffer: &mut Vec<u8>) -> Seen<Sockets> {
        let mut sockets = Sockets::default();
        for (name, family, socket_id) in [("tcp", AF_INET, SocketId::new_v4()), ("tcp6", AF_INET6, SocketId::new_v6())]
        {
            let states = inet::StateFlags::all() - inet::StateFlags::TIME_WAIT - inet::StateFlags::CLOSE;
            let request =
                InetRequest { family, protocol: IPPROTO_TCP, extensions: ExtensionFlags::INFO, states, socket_id };
            let dumped = self.dump(name, SockDiagMessage::InetRequest(request), &mut sockets, tape, buffer);
            // A kernel without IPv6 has no such sockets.
            if family == AF_INET && dumped != Seen::Here(()) {
                return dumped.and_then(|()| Seen::Gone);
            }
        }
        let request = UnixRequest {
            state_flags: unix::StateFlags::all(),
            inode: 0,
            show_flags: ShowFlags::NAME | ShowFlags::PEER | ShowFlags::ICONS | ShowFlags::RQLEN,
            cookie: [0; 8],
        };
        self.dump("unix", SockDiagMessage::UnixRequest(request), &mut sockets, tape, buffer).map(|()| sockets)
    }

    fn dump(
        &mut self,
        name: &str,
        request: SockDiagMessage,
        sockets: &mut Sockets,
        tape: &Tape,
        buffer: &mut Vec<u8>,
    ) -> Seen<()> {
        let mut unsent_request = Some(request);
        loop {
            // The request is sent with the first read, so that a playback sends none.
            let received = tape.bytes("netlink", name, buffer, |buffer| {
                let Some(netlink) = self.netlink.as_mut() else { return Seen::Unsupported };
                let sent = unsent_request.take().map_or(Ok(()), |request| netlink.send(request));
                sent.and_then(|()| netlink.receive(buffer)).into()
            });
            match received.and_then(|()| parse_messages(buffer, sockets).into()) {
                Seen::Here(false) => {}
                finished => return finished.map(drop),
            }
        }
    }
}

struct Netlink(Socket);

impl Netlink {
    fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&NetlinkAddr::new(0, 0))?;
        Ok(Netlink(socket))
    }

    fn send(&self, request: SockDiagMessage) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0).map(drop)
    }

    fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        // The kernel sends datagrams of at most 32 KiB.
        buffer.reserve(64 << 10);
        match self.0.recv(buffer, 0)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
