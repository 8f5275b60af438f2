//! `/proc/PID/net/{tcp,tcp6,unix}`, used if `sock_diag` is not available.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    hex, number,
    sockets::{TcpSocket, UnixSocket},
    text, words,
};

const LISTEN: u64 = 10;
const TIME_WAIT: u64 = 6;
const CLOSE: u64 = 7;

/// Parses one line of `tcp` or `tcp6`. `None` for the heading and for closed sockets.
pub fn parse_tcp_line(line: &[u8]) -> Option<TcpSocket> {
    let mut fields = words(line).skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = hex(fields.next()?)?;
    let mut queues = fields.next()?.splitn(2, |byte| *byte == b':').map(hex);
    let send_queue = queues.next()??;
    let recv_queue = queues.next()??;
    let inode = number(fields.nth(4)?)?;
    if matches!(state, TIME_WAIT | CLOSE) {
        return None;
    }
    Some(TcpSocket {
        inode,
        cookie: None,
        local,
        remote,
        is_listening: state == LISTEN,
        recv_queue: u32::try_from(recv_queue).unwrap_or(u32::MAX),
        send_queue: u32::try_from(send_queue).unwrap_or(u32::MAX),
        rtt_ms: None,
        retransmits: None,
        activity: None,
    })
}

/// Parses one line of `unix`, which does not include the peer.
pub fn parse_unix_line(line: &[u8]) -> Option<UnixSocket> {
    const LISTENING: u64 = 1 << 16;
    let mut fields = words(line);
    let flags = hex(fields.nth(3)?)?;
    let inode = number(fields.nth(2)?)?;
    let name = fields.next().map(text);
    Some(UnixSocket {
        inode,
        peer_inode: None,
        name,
        is_listening: flags & LISTENING != 0,
        pending_clients: Vec::new(),
        recv_queue: 0,
        send_queue: 0,
        backlog: None,
    })
}

fn address(field: &[u8]) -> Option<SocketAddr> {
    let mut parts = field.splitn(2, |byte| *byte == b':');
    let ip = parts.next()?;
    let port = parts.next()?;
    // Groups of four bytes are printed as numbers in this machine's byte order.
    let word = |digits: &[u8]| Some(u32::try_from(hex(digits)?).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(ip)?)),
        32 => {
            let mut bytes = [0; 16];
            for (group, digits) in bytes.chunks_mut(4).zip(ip.chunks(8)) {
                group.copy_from_slice(&word(digits)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::try_from(hex(port)?).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn a_mapped_ipv4_address_is_an_ipv4_address() {
        let line = b"   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:C350 01 00000003:00000005 00:00000000 00000000  1000        0 4711 1 0000000000000000 20 4 30 10 -1";
        let socket = parse_tcp_line(line).unwrap();
        assert_eq!(
            (socket.local.to_string(), socket.remote.to_string()),
            ("127.0.0.1:8080".into(), "127.0.0.2:50000".into())
        );
        assert_eq!((socket.inode, socket.send_queue, socket.recv_queue, socket.is_listening), (4711, 3, 5, false));
    }

    #[test]
    fn a_listening_unix_socket_has_the_flag() {
        let socket = parse_unix_line(b"0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/a.sock").unwrap();
        assert_eq!((socket.inode, socket.is_listening, socket.name.as_deref()), (1234, true, Some("/run/a.sock")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_tcp_line(&line), parse_unix_line(&line));
        }

        #[test]
        fn malformed_lines_are_accepted(line in "[0-9]: [0-9A-F]{0,33}:[0-9A-F]{0,5} [0-9A-F]{8}:[0-9A-F]{4} [0-9A-F]{2} [0-9A-F:]{0,20} 0 0 0 0 [0-9]{0,20}") {
            let _ = parse_tcp_line(line.as_bytes());
        }

        #[test]
        fn a_formatted_ipv4_line_is_parsed_back(ip in any::<[u8; 4]>(), port in any::<u16>(), inode in any::<u32>()) {
            let digits = u32::from_ne_bytes(ip);
            let line = format!("0: {digits:08X}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} 1");
            let socket = parse_tcp_line(line.as_bytes()).unwrap();
            prop_assert_eq!(socket.local, SocketAddr::from((ip, port)));
            prop_assert_eq!((socket.inode, socket.is_listening), (u64::from(inode), true));
        }
    }
}
