//! Datagrams of `sock_diag`, the netlink protocol that lists sockets.

use std::{io, net::SocketAddr};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_LISTEN, TCP_SYN_SENT},
    inet::{self, InetResponse},
    unix::{self, UnixResponse, nlas::UnixDiagName},
};

use super::{
    path_text,
    sockets::{Sockets, TcpActivity, TcpSocket, UnixSocket},
    text,
};

/// Parses one datagram. `None` if it reports an error or is malformed.
pub fn parse_datagram(datagram: &[u8]) -> Option<Sockets> {
    let mut sockets = Sockets::default();
    parse_messages(datagram, &mut sockets).ok().map(|_| sockets)
}

/// Parses all messages of a datagram and adds their sockets to `sockets`. Returns whether the dump
/// is complete.
///
/// # Errors
/// If the kernel reports an error, or the datagram is malformed.
pub fn parse_messages(mut datagram: &[u8], sockets: &mut Sockets) -> io::Result<bool> {
    const HEADER: usize = 16;
    while let Some(length) = datagram.first_chunk::<4>() {
        let length = u32::from_ne_bytes(*length) as usize;
        let message = datagram.get(..length).filter(|message| message.len() >= HEADER);
        let message = message.ok_or(io::ErrorKind::InvalidData)?;
        // A socket that the decoder rejects, for instance with an invalid name, is left out.
        if let Ok(message) = NetlinkMessage::<SockDiagMessage>::deserialize(message) {
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    sockets.tcp.push(tcp_socket(&response));
                }
                NetlinkPayload::InnerMessage(SockDiagMessage::UnixResponse(response)) => {
                    sockets.unix.push(unix_socket(&response));
                }
                NetlinkPayload::Done(done) if done.code < 0 => return Err(kernel_error(done.code)),
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) => return Err(kernel_error(error.raw_code())),
                _ => {}
            }
        }
        let next = length.next_multiple_of(4).min(datagram.len());
        datagram = datagram.get(next..).unwrap_or_default();
    }
    Ok(false)
}

/// Converts the kernel's negative error number.
fn kernel_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code.checked_neg().unwrap_or(i32::MAX))
}

fn tcp_socket(response: &InetResponse) -> TcpSocket {
    let header = &response.header;
    let id = &header.socket_id;
    let info = response.nlas.iter().find_map(|nla| match nla {
        inet::nlas::Nla::TcpInfo(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    // The peer's FIN counts as a byte in the receive queue and in the received bytes.
    let is_closed_by_peer = matches!(header.state, TCP_CLOSE_WAIT | TCP_LAST_ACK | TCP_CLOSING);
    let fin = u32::from(is_closed_by_peer && header.recv_queue > 0);
    TcpSocket {
        inode: u64::from(header.inode),
        cookie: Some(u64::from_ne_bytes(id.cookie)),
        local: SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        remote: SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
        is_listening: header.state == TCP_LISTEN,
        recv_queue: header.recv_queue - fin,
        send_queue: header.send_queue,
        rtt_ms: info.and_then(|info| field(info, TCPI_RTT)).map(|micros| micros as f32 / 1000.0),
        retransmits: info.and_then(|info| field(info, TCPI_TOTAL_RETRANS)),
        activity: info.and_then(|info| match header.state {
            // Nothing was sent yet; the kernel would report times since boot.
            TCP_SYN_SENT => Some(TcpActivity::default()),
            _ => activity(info).map(|activity| {
                let received_bytes = activity.received_bytes.saturating_sub(fin.into());
                TcpActivity { received_bytes, ..activity }
            }),
        }),
    }
}

// Offsets of fields in `struct tcp_info`, which the kernel extends only at its end.
const TCPI_LAST_DATA_SENT: usize = 44;
const TCPI_LAST_DATA_RECV: usize = 52;
const TCPI_RTT: usize = 68;
const TCPI_TOTAL_RETRANS: usize = 100;
const TCPI_BYTES_ACKED: usize = 120;
const TCPI_BYTES_RECEIVED: usize = 128;

fn activity(info: &[u8]) -> Option<TcpActivity> {
    Some(TcpActivity {
        ms_since_sent: field(info, TCPI_LAST_DATA_SENT)?,
        ms_since_received: field(info, TCPI_LAST_DATA_RECV)?,
        acked_bytes: long_field(info, TCPI_BYTES_ACKED)?,
        received_bytes: long_field(info, TCPI_BYTES_RECEIVED)?,
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
    let is_listening = response.header.state == TCP_LISTEN;
    let name = response.name().map(|name| match name {
        UnixDiagName::Pathname(path) => path_text(path),
        UnixDiagName::Abstract(name) => {
            format!("@{}", text(&name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect::<Vec<u8>>()))
        }
    });
    UnixSocket {
        inode: u64::from(response.header.inode),
        peer_inode: response.peer().map(u64::from),
        name,
        is_listening,
        pending_clients: response.pending_connections().unwrap_or_default().iter().copied().map(u64::from).collect(),
        recv_queue: queues.map_or(0, |(queued, _)| queued),
        send_queue: queues.filter(|_| !is_listening).map_or(0, |(_, sent)| sent),
        backlog: queues.map(|(_, limit)| limit).filter(|_| is_listening),
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6};
    use proptest::prelude::*;

    use super::*;

    /// A datagram of one message of a kind with an error number.
    fn datagram(kind: u16, code: i32) -> Vec<u8> {
        let length = 16 + 4 + 16_u32;
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &code.to_ne_bytes(), &[0; 16]].concat()
    }

    #[test]
    fn an_error_number_without_a_positive_counterpart_is_an_error() {
        const ERROR: u16 = 2;
        const DONE: u16 = 3;
        for (kind, code, expected) in
            [(ERROR, -1, 1), (DONE, -13, 13), (ERROR, i32::MIN, i32::MAX), (DONE, i32::MIN, i32::MAX)]
        {
            let parsed = parse_messages(&datagram(kind, code), &mut Sockets::default());
            assert_eq!(parsed.err().and_then(|error| error.raw_os_error()), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_accepted(mut datagram in prop::collection::vec(any::<u8>(), 0..400), fits in any::<bool>()) {
            if fits && datagram.len() >= 20 {
                let length = u32::try_from(datagram.len()).unwrap_or(0);
                datagram[..4].copy_from_slice(&length.to_ne_bytes());
                datagram[4..6].copy_from_slice(&20_u16.to_ne_bytes());
                datagram[16] = [AF_INET, AF_INET6, 1][usize::from(datagram[17]) % 3];
            }
            let _ = parse_messages(&datagram, &mut Sockets::default());
        }
    }
}
