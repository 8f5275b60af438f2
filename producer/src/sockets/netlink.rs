//! `sock_diag`: asks the kernel for the sockets of this process's network namespace.

use std::{io, net::SocketAddr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_LISTEN, TCP_SYN_SENT},
    inet::{self, ExtensionFlags, InetRequest, InetResponse, SocketId},
    unix::{self, ShowFlags, UnixRequest, UnixResponse, nlas::UnixDiagName},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};

use super::{Sockets, Talk, TcpSocket, UnixSocket};
use crate::{parse, read::Seen, tape::Tape};

/// A conversation with the kernel about the sockets of one network namespace, or with what was recorded of one.
pub struct Conversation(Option<Netlink>);

impl Conversation {
    /// Begins one in the namespace of the thread that calls this.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn begin() -> io::Result<Conversation> {
        Netlink::open().map(|netlink| Conversation(Some(netlink)))
    }

    /// One with a recording.
    pub fn recorded() -> Conversation {
        Conversation(None)
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
            match received.and_then(|()| take_all(buffer, sockets).into()) {
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

/// Takes every message of a datagram; true after the last of a dump.
pub fn take_all(mut datagram: &[u8], sockets: &mut Sockets) -> io::Result<bool> {
    const HEADER: usize = 16;
    while let Some(length) = datagram.first_chunk::<4>() {
        let length = u32::from_ne_bytes(*length) as usize;
        let message = datagram.get(..length).filter(|message| message.len() >= HEADER);
        let message = message.ok_or(io::ErrorKind::InvalidData)?;
        // A socket that the decoder cannot read (a name that is no path, say) is left out, not the whole listing.
        if let Ok(message) = NetlinkMessage::<SockDiagMessage>::deserialize(message) {
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    sockets.tcp.push(tcp_socket(&response));
                }
                NetlinkPayload::InnerMessage(SockDiagMessage::UnixResponse(response)) => {
                    sockets.unix.push(unix_socket(&response));
                }
                NetlinkPayload::Done(done) if done.code < 0 => return Err(failure(done.code)),
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) => return Err(failure(error.raw_code())),
                _ => {}
            }
        }
        let next = length.next_multiple_of(4).min(datagram.len());
        datagram = datagram.get(next..).unwrap_or_default();
    }
    Ok(false)
}

/// The kernel's own number of an error is negative.
fn failure(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code.checked_neg().unwrap_or(i32::MAX))
}

fn tcp_socket(response: &InetResponse) -> TcpSocket {
    let header = &response.header;
    let id = &header.socket_id;
    let info = response.nlas.iter().find_map(|nla| match nla {
        inet::nlas::Nla::TcpInfo(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    // The other end's farewell counts as a byte, but there is nothing to read.
    let is_over = matches!(header.state, TCP_CLOSE_WAIT | TCP_LAST_ACK | TCP_CLOSING);
    let farewell = u32::from(is_over && header.recv_queue > 0);
    TcpSocket {
        inode: u64::from(header.inode),
        cookie: Some(u64::from_ne_bytes(id.cookie)),
        local: SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        remote: SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
        listens: header.state == TCP_LISTEN,
        recv_queue: header.recv_queue - farewell,
        send_queue: header.send_queue,
        rtt_ms: info.and_then(|info| field(info, TCPI_RTT)).map(|micros| micros as f32 / 1000.0),
        retransmits: info.and_then(|info| field(info, TCPI_TOTAL_RETRANS)),
        talk: info.and_then(|info| match header.state {
            // Nothing was said yet, and the kernel counts from boot.
            TCP_SYN_SENT => Some(Talk::default()),
            _ => talk(info).map(|talk| Talk { received: talk.received.saturating_sub(farewell.into()), ..talk }),
        }),
    }
}

// Where they are in `struct tcp_info`, which only ever grows at its end.
const TCPI_LAST_DATA_SENT: usize = 44;
const TCPI_LAST_DATA_RECV: usize = 52;
const TCPI_RTT: usize = 68;
const TCPI_TOTAL_RETRANS: usize = 100;
const TCPI_BYTES_ACKED: usize = 120;
const TCPI_BYTES_RECEIVED: usize = 128;

fn talk(info: &[u8]) -> Option<Talk> {
    Some(Talk {
        since_sent: field(info, TCPI_LAST_DATA_SENT)?,
        since_received: field(info, TCPI_LAST_DATA_RECV)?,
        acknowledged: long_field(info, TCPI_BYTES_ACKED)?,
        received: long_field(info, TCPI_BYTES_RECEIVED)?,
    })
}

fn field(info: &[u8], offset: usize) -> Option<u32> {
    info.get(offset..)?.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn long_field(info: &[u8], offset: usize) -> Option<u64> {
    info.get(offset..)?.first_chunk::<8>().map(|bytes| u64::from_ne_bytes(*bytes))
}

fn unix_socket(response: &UnixResponse) -> UnixSocket {
    let queues = response.nlas.iter().find_map(|nla| match nla {
        unix::nlas::Nla::ReceiveQueueLength(queued, limit) => Some((*queued, *limit)),
        _ => None,
    });
    let listens = response.header.state == TCP_LISTEN;
    let name = response.name().map(|name| match name {
        UnixDiagName::Pathname(path) => path.to_string_lossy().into_owned(),
        UnixDiagName::Abstract(name) => format!("@{}", parse::text(name).replace('\0', "@")),
    });
    UnixSocket {
        inode: u64::from(response.header.inode),
        peer: response.peer().map(u64::from),
        name,
        listens,
        pending: response.pending_connections().unwrap_or_default().iter().copied().map(u64::from).collect(),
        queued: queues.map_or(0, |(queued, _)| queued),
        sent: queues.filter(|_| !listens).map_or(0, |(_, sent)| sent),
        limit: queues.map(|(_, limit)| limit).filter(|_| listens),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One message of such a kind that holds an error's number.
    fn datagram(kind: u16, code: i32) -> Vec<u8> {
        let length = 16 + 4 + 16_u32;
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &code.to_ne_bytes(), &[0; 16]].concat()
    }

    #[test]
    fn an_error_without_a_positive_number_is_an_error() {
        const ERROR: u16 = 2;
        const DONE: u16 = 3;
        for (kind, code, expected) in
            [(ERROR, -1, 1), (DONE, -13, 13), (ERROR, i32::MIN, i32::MAX), (DONE, i32::MIN, i32::MAX)]
        {
            let taken = take_all(&datagram(kind, code), &mut Sockets::default());
            assert_eq!(taken.err().and_then(|error| error.raw_os_error()), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic(mut datagram in prop::collection::vec(any::<u8>(), 0..400), fits in any::<bool>()) {
            if fits && datagram.len() >= 20 {
                let length = u32::try_from(datagram.len()).unwrap_or(0);
                datagram[..4].copy_from_slice(&length.to_ne_bytes());
                datagram[4..6].copy_from_slice(&20_u16.to_ne_bytes());
                datagram[16] = [AF_INET, AF_INET6, 1][usize::from(datagram[17]) % 3];
            }
            let _ = take_all(&datagram, &mut Sockets::default());
        }
    }
}
