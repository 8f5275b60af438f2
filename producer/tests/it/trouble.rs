//! A network in trouble. It is one of the test's own, and goes with the process that is in it.

use std::{net::TcpStream, process::Command, time::Duration};

use schemas::GraphSnapshot;

use crate::{children::*, mounts::run, parts::play};

/// The environment variable that says that this process is in the namespace already.
const INSIDE: &str = "PRODUCER_TEST_IN_OWN_NETWORK";

/// Whether this process has a network of its own; if not, the test is run again in one, and must pass there.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    let mut again = Command::new("unshare");
    again.arg("--net").arg(std::env::current_exe().unwrap());
    again.args([&format!("trouble::{test}"), "--exact", "--ignored"]).env(INSIDE, "1");
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
fn what_is_lost_is_seen_to_be_sent_again_by_the_host_and_at_the_endpoint() {
    if !is_inside("what_is_lost_is_seen_to_be_sent_again_by_the_host_and_at_the_endpoint") {
        return;
    }
    let (server, address) = play("pour -");
    let (_, port) = address.rsplit_once(':').unwrap();
    // Tracked as well, in this network alone.
    let rule = "-A INPUT -p tcp --sport PORT -m conntrack --ctstate ESTABLISHED -m statistic --mode random --probability 0.12 -j DROP";
    let rule: Vec<&str> = rule.split(' ').map(|word| if word == "PORT" { port } else { word }).collect();
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    let before = sweeper.sweep().unwrap();
    assert_eq!(value(&before, "segments_resent", network(&before)), Some(0.0));
    run("iptables", &rule);
    let (client, _) = play(&format!("drain {address}"));
    let (snapshot, (endpoint, client, server)) = sweep_until(&mut sweeper, |snapshot| {
        let endpoint = endpoint(snapshot, &address)?;
        let (client, server) = (process(snapshot, client.pid())?, process(snapshot, server.pid())?);
        let of_host = value(snapshot, "segments_resent", network(snapshot))?;
        (of_host > 5.0 && value(snapshot, "retransmits", endpoint)? > 5.0).then_some((endpoint, client, server))
    });
    assert!(edge(&snapshot, client, "connects", server).is_some());
    assert!(edge(&snapshot, server, "opens", endpoint).is_some());
    let tracked = value(&snapshot, "conntrack_pct", network(&snapshot)).unwrap();
    assert!(tracked > 0.0 && tracked < 1.0, "{tracked}");
}

#[test]
#[ignore = "needs root"]
fn connections_that_a_full_listener_does_not_take_are_counted_for_the_host() {
    if !is_inside("connections_that_a_full_listener_does_not_take_are_counted_for_the_host") {
        return;
    }
    std::fs::write("/proc/sys/net/core/somaxconn", "1").unwrap();
    let (_server, address) = play("ignore -");
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
