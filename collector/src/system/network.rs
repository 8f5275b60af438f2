//! TCP and connection tracking in the network namespace of the host.

use hostread::{
    ProcRoot, Seen,
    parse::{self, net_counters::parse_counter},
};
use signals::Signal;

use super::{
    counters,
    resources::{HostInputs, Resource},
};
use crate::measure::{IntoMeasured, Measured, Reason};

/// Returns the resource `network`.
pub fn read(inputs: &HostInputs<'_>, counters: &mut counters::History, buffer: &mut Vec<u8>) -> Resource {
    const SNMP: [(Signal, &str); 1] = [(Signal::TcpRetransmits, "RetransSegs")];
    const NETSTAT: [(Signal, &str); 4] = [
        (Signal::TcpTimeouts, "TCPTimeouts"),
        (Signal::ListenDrops, "ListenDrops"),
        (Signal::ListenOverflows, "ListenOverflows"),
        (Signal::SynCookies, "SyncookiesSent"),
    ];
    let mut figures = Vec::with_capacity(SNMP.len() + NETSTAT.len() + 1);
    for (file, protocol, names) in [("snmp", "Tcp:", SNMP.as_slice()), ("netstat", "TcpExt:", &NETSTAT)] {
        let text = inputs.net.as_ref().and_then(|net| net.read(file, buffer));
        for (signal, name) in names {
            let amount = text.map(|text| parse_counter(text, protocol.as_bytes(), name.as_bytes())).measured();
            figures.push(counters.rate(*signal, amount.and_then(|amount| amount.ok_or(Reason::Unsupported)), 1.0));
        }
    }
    // `sys/net` shows the namespace of the reading process.
    let tracked = if inputs.own_network { tracked(inputs.root, buffer) } else { Err(Reason::Unsupported) };
    figures.push((Signal::ConntrackPct, tracked));
    Resource::singleton("network", figures)
}

/// Returns the usage of the connection tracking table, in percent.
fn tracked(root: &ProcRoot, buffer: &mut Vec<u8>) -> Measured {
    let mut number = |name: &str| match root.directory.read(&format!("sys/net/netfilter/{name}"), buffer) {
        // Connection tracking is not loaded.
        Seen::Gone => Err(Reason::Unsupported),
        text => text.measured().and_then(|text| parse::number(text.trim_ascii()).ok_or(Reason::Unsupported)),
    };
    let count = number("nf_conntrack_count")?;
    let most = number("nf_conntrack_max")?;
    // A maximum of zero means unlimited.
    if most == 0 { Ok(0.0) } else { Ok(count as f64 / most as f64 * 100.0) }
}
