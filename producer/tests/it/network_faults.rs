//! A network with packet loss and full queues, in a namespace of the test's own.

use std::{net::TcpStream, process::Command, time::Duration};

use schemas::GraphSnapshot;

use crate::{children::*, helpers::start_helper, mounts::run};

/// Environment variable that is set once this process runs inside the namespace.
const INSIDE: &str = "PRODUCER_TEST_IN_OWN_NETWORK";

/// Whether this process has a network namespace of its own. If not, runs the test again in one and
/// asserts that it passes.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    let mut again = Command::new("unshare");
    again.arg("--net").arg(std::env::current_exe().unwrap());
    again.args([&format!("network_faults::{test}"), "--exact", "--ignored"]).env(INSIDE, "1");
    assert!(again.status().unwrap().success());
    false
}

fn network(snapshot: &GraphSnapshot) -> usize {
    snapshot.nodes.iter().position(|node| node.id == "s:network").unwrap()
}

fn endpoint(snapshot: &GraphSnapshot, address: &str) -> Option<usize> {
    snapshot.nodes.iter().position(|node| node.endpoint.as_deref() == Some(address))
}

#[test]
#[ignore = "needs root"]
fn retransmits_after_packet_loss_are_counted_for_host_and_endpoint() {
    if !is_inside("retransmits_after_packet_loss_are_counted_for_host_and_endpoint") {
        return;
    }
    let (server, address) = start_helper("pour -");
    let (_, port) = address.rsplit_once(':').unwrap();
    // Connection tracking, in this namespace alone.
    let rule = "-A INPUT -p tcp --sport PORT -m conntrack --ctstate ESTABLISHED -m statistic --mode random --probability 0.12 -j DROP";
    let rule: Vec<&str> = rule.split(' ').map(|word| if word == "PORT" { port } else { word }).collect();
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    let before = sweeper.sweep().unwrap();
    assert_eq!(value(&before, "tcp_retransmits", network(&before)), Some(0.0));
    run("iptables", &rule);
    let (client, _) = start_helper(&format!("drain {address}"));
    let (snapshot, (endpoint, client, server)) = sweep_until(&mut sweeper, |snapshot| {
        let endpoint = endpoint(snapshot, &address)?;
        let client = process(snapshot, client.pid())?;
        let server = process(snapshot, server.pid())?;
        let of_host = value(snapshot, "tcp_retransmits", network(snapshot))?;
        (of_host > 5.0 && value(snapshot, "retransmits", endpoint)? > 5.0).then_some((endpoint, client, server))
    });
    assert!(edge(&snapshot, client, "connects", server).is_some());
    assert!(edge(&snapshot, server, "opens", endpoint).is_some());
    let tracked = value(&snapshot, "conntrack_pct", network(&snapshot)).unwrap();
    assert!(tracked > 0.0 && tracked < 1.0, "{tracked}");
}

#[test]
#[ignore = "needs root"]
fn listen_drops_are_counted_for_the_host() {
    if !is_inside("listen_drops_are_counted_for_the_host") {
        return;
    }
    std::fs::write("/proc/sys/net/core/somaxconn", "1").unwrap();
    let (_server, address) = start_helper("ignore -");
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    let connect = || TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_millis(200));
    let connections: Vec<_> = std::iter::repeat_with(connect).take(4).collect();
    assert!(connections.iter().any(Result::is_err));
    let snapshot = sweeper.sweep().unwrap();
    for column in ["listen_drops", "listen_overflows"] {
        assert!(value(&snapshot, column, network(&snapshot)).unwrap() > 0.0, "{column}");
    }
}
