//! Connections between processes. Both ends are children: the test process itself is excluded from
//! snapshots.

use std::net::TcpListener;

use crate::{children::*, helpers::start_helper};

#[test]
fn a_client_depends_on_its_server_and_the_server_on_its_endpoint() {
    let (server, address) = start_helper("serve -");
    let (client, _) = start_helper(&format!("connect {address}"));
    let mut sweeper = sweeper();
    let (snapshot, (client, server)) = sweep_until(&mut sweeper, |snapshot| {
        let client = process(snapshot, client.pid())?;
        let server = process(snapshot, server.pid())?;
        edge(snapshot, client, "connects", server)?;
        Some((client, server))
    });
    let connects = edge(&snapshot, client, "connects", server).unwrap();
    assert_eq!(connects.basis, "observed");
    assert!(connects.latency_ms.unwrap() > 0.0);
    assert!(edge(&snapshot, server, "connects", client).is_none());
    let endpoint = snapshot.nodes.iter().position(|node| node.endpoint.as_deref() == Some(&address)).unwrap();
    assert!(edge(&snapshot, server, "opens", endpoint).is_some());
    assert!(node(&snapshot, endpoint).role.starts_with(&node(&snapshot, server).role));
    assert_eq!(value(&snapshot, "connections", endpoint), Some(1.0));
    assert_eq!(value(&snapshot, "accept_queue", endpoint), Some(0.0));
    assert!(value(&snapshot, "rtt_ms", endpoint).unwrap() > 0.0);
}

#[test]
fn a_server_that_does_not_accept_still_has_its_client() {
    let (server, address) = start_helper("ignore -");
    let (client, _) = start_helper(&format!("connect {address}"));
    let (snapshot, endpoint) = sweep_until(&mut sweeper(), |snapshot| {
        let endpoint = snapshot.nodes.iter().position(|node| node.endpoint.as_deref() == Some(&address))?;
        (value(snapshot, "accept_queue", endpoint) == Some(1.0)).then_some(endpoint)
    });
    let client = process(&snapshot, client.pid()).unwrap();
    let server = process(&snapshot, server.pid()).unwrap();
    assert!(edge(&snapshot, client, "connects", server).is_some());
    assert_eq!(value(&snapshot, "connections", endpoint), Some(1.0));
}

#[test]
fn connections_of_a_pair_are_counted_accepted_or_not() {
    let (server, address) = start_helper("serve -");
    let (often, _) = start_helper(&format!("connect-three-times {address}"));
    let (once, _) = start_helper(&format!("connect {address}"));
    let (snapshot, [server, often, once]) = sweep_until(&mut sweeper(), |snapshot| {
        let [Some(server), Some(often), Some(once)] =
            [&server, &often, &once].map(|kept| process(snapshot, kept.pid()))
        else {
            return None;
        };
        edge(snapshot, often, "connects", server)?;
        edge(snapshot, once, "connects", server)?;
        Some([server, often, once])
    });
    let count = |client| edge(&snapshot, client, "connects", server).unwrap().count;
    assert_eq!((count(often), count(once)), (3, 1));
    let others = snapshot.edges.iter().filter(|edge| edge.kind != "connects");
    assert!(others.into_iter().all(|edge| edge.count == 1));
}

#[test]
fn connections_of_the_producer_itself_are_excluded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (client, _) = start_helper(&format!("connect {address}"));
    let snapshot = sweeper().sweep().unwrap();
    assert!(process(&snapshot, client.pid()).is_some());
    assert_eq!(process(&snapshot, i64::from(std::process::id())), None);
    assert!(!snapshot.nodes.iter().any(|node| node.endpoint.as_deref() == Some(&address)));
}

#[test]
fn a_unix_client_depends_on_its_server() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("service.sock").to_str().unwrap().to_owned();
    let (server, _) = start_helper(&format!("serve-unix {path}"));
    let (client, _) = start_helper(&format!("connect-unix {path}"));
    let (snapshot, (client, server)) = sweep_until(&mut sweeper(), |snapshot| {
        let client = process(snapshot, client.pid())?;
        let server = process(snapshot, server.pid())?;
        edge(snapshot, client, "connects", server)?;
        Some((client, server))
    });
    assert!(edge(&snapshot, server, "connects", client).is_none());
    let endpoint = node_with_path(&snapshot, &path).unwrap();
    assert!(edge(&snapshot, server, "opens", endpoint).is_some());
}
