//! `sock_diag`: asks the kernel for the sockets of this process's network namespace.

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

/// A conversation with the kernel about the sockets of one network namespace, or with what was recorded of one.
pub struct SockDiag(Option<Netlink>);

impl SockDiag {
    /// Begins one in the namespace of the thread that calls this.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<SockDiag> {
        Netlink::open().map(|netlink| SockDiag(Some(netlink)))
    }

    /// One with a recording.
    pub fn for_playback() -> SockDiag {
        SockDiag(None)
    }

    /// Asks for TCP over IPv4 and IPv6, and for Unix sockets. `buffer` is used for the answers.
    pub fn list(&mut self, tape: &Tape, buffer: &mut Vec<u8>) -> Seen<Sockets> {
        let mut sockets = Sockets::default();
        for (name, family, socket_id) in [("tcp", AF_INET, SocketId::new_v4()), ("tcp6", AF_INET6, SocketId::new_v6())]
        {
            let states = inet::StateFlags::all() - inet::StateFlags::TIME_WAIT - inet::StateFlags::CLOSE;
            let request =
                InetRequest { family, protocol: IPPROTO_TCP, extensions: ExtensionFlags::INFO, states, socket_id };
            let listed = self.dump(name, SockDiagMessage::InetRequest(request), &mut sockets, tape, buffer);
            // A kernel without IPv6 has no such sockets.
            if family == AF_INET && listed != Seen::Here(()) {
                return listed.and_then(|()| Seen::Gone);
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
        let mut asked = Some(request);
        loop {
            // Asked within the first answer, of which a recording has all that is needed.
            let received = tape.bytes("netlink", name, buffer, |buffer| {
                let Some(netlink) = self.0.as_mut() else { return Seen::Unsupported };
                let sent = asked.take().map_or(Ok(()), |request| netlink.send(request));
                sent.and_then(|()| netlink.receive(buffer)).into()
            });
            match received.and_then(|()| parse_messages(buffer, sockets).into()) {
                Seen::Here(false) => {}
                listed => return listed.map(drop),
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
        // The kernel fills at most 32 KiB at once.
        buffer.reserve(64 << 10);
        match self.0.recv(buffer, 0)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
