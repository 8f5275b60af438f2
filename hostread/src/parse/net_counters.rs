//! `/proc/PID/net/{snmp,netstat}`: each line of counter names is followed by a line of values.

use super::{lines, number, words};

/// Value of the counter `name` of a protocol. `protocol` includes the colon, such as `Tcp:`.
pub fn parse_counter(text: &[u8], protocol: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = lines(text);
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let mut names = words(names);
        let mut values = words(values);
        if names.next() == Some(protocol) && values.next() == Some(protocol) {
            return number(values.nth(names.position(|word| word == name)?)?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SNMP: &[u8] = b"Ip: Forwarding DefaultTTL\nIp: 1 64\n\
        Tcp: RtoAlgorithm MaxConn OutSegs RetransSegs InErrs\nTcp: 1 -1 157323 50 0\n\
        Udp: InDatagrams\nUdp: 7\n";

    #[test]
    fn a_counter_is_found_by_protocol_and_name() {
        assert_eq!(parse_counter(SNMP, b"Tcp:", b"RetransSegs"), Some(50));
        assert_eq!(parse_counter(SNMP, b"Udp:", b"InDatagrams"), Some(7));
        assert_eq!(parse_counter(SNMP, b"Tcp:", b"InDatagrams"), None);
        assert_eq!(parse_counter(SNMP, b"Tcp:", b"MaxConn"), None);
        assert_eq!(parse_counter(SNMP, b"TcpExt:", b"ListenDrops"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_counter(&text, b"Tcp:", b"RetransSegs");
        }

        #[test]
        fn malformed_pairs_of_lines_are_accepted(names in "(TcpExt:|Tcp:)( [A-C]){0,4}", values in "(TcpExt:|Tcp:)( [0-9-]{1,30}){0,4}\n?") {
            let _ = parse_counter(format!("{names}\n{values}").as_bytes(), b"TcpExt:", b"B");
        }

        #[test]
        fn formatted_counters_are_parsed_back(values in prop::collection::vec(any::<u64>(), 1..9), at in any::<prop::sample::Index>()) {
            let names: Vec<String> = (0..values.len()).map(|at| format!("Name{at}")).collect();
            let written: Vec<String> = values.iter().map(u64::to_string).collect();
            let text = format!("IpExt: A\nIpExt: 1\nTcpExt: {}\nTcpExt: {}\n", names.join(" "), written.join(" "));
            let at = at.index(values.len());
            prop_assert_eq!(parse_counter(text.as_bytes(), b"TcpExt:", names[at].as_bytes()), Some(values[at]));
        }
    }
}
