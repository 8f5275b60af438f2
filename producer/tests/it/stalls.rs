//! Stalls at pipes and sockets.

use std::{
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use producer::Sweeper;
use rustix::process::{Pid, Signal, kill_process};
use schemas::GraphSnapshot;

use crate::{
    children::*,
    helpers::{self, start_helper},
};

/// Sweeps until `waiter` has waited for a while, according to that column.
fn waits(column: &str, waiter: &ChildGuard) -> (GraphSnapshot, usize) {
    sweep_until(&mut sweeper(), |snapshot| {
        let waiter = process(snapshot, waiter.pid())?;
        (value(snapshot, column, waiter)? > 200.0).then_some(waiter)
    })
}

#[test]
fn a_writer_to_a_full_pipe_waits_for_its_reader() {
    let (reader, writer) = std::io::pipe().unwrap();
    let reader = ChildGuard(Command::new("sleep").arg("60").stdin(reader).stdout(Stdio::null()).spawn().unwrap());
    let writer = ChildGuard(Command::new("yes").stdin(Stdio::null()).stdout(writer).spawn().unwrap());
    let (snapshot, waiter) = waits("write_wait_ms", &writer);
    let reader = process(&snapshot, reader.pid()).unwrap();
    let wait = edge(&snapshot, waiter, "waits-for", reader).unwrap();
    assert_eq!(wait.basis, "observed");
    assert_eq!(wait.blocked_ms, value(&snapshot, "write_wait_ms", waiter));
    assert_eq!(value(&snapshot, "blocks_others_ms", reader), wait.blocked_ms);
    assert_eq!(value(&snapshot, "read_wait_ms", waiter), Some(0.0));
    let proof = snapshot.evidence.iter().find(|proof| proof.nodes.contains(&(waiter as i32))).unwrap();
    assert!(proof.source.ends_with("/syscall") && proof.text.contains("write(1), pipe:["), "{proof:?}");
}

#[test]
fn a_reader_of_an_empty_pipe_waits_and_its_writer_is_not_blamed() {
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = ChildGuard(Command::new("sleep").arg("60").stdin(Stdio::null()).stdout(writer).spawn().unwrap());
    let reader = ChildGuard(Command::new("cat").stdin(reader).stdout(Stdio::null()).spawn().unwrap());
    let (snapshot, waiter) = waits("read_wait_ms", &reader);
    let writer = process(&snapshot, writer.pid()).unwrap();
    assert_eq!(edge(&snapshot, waiter, "pipes", writer).unwrap().blocked_ms, value(&snapshot, "read_wait_ms", waiter));
    assert!(edge(&snapshot, waiter, "waits-for", writer).is_none());
    assert_eq!(value(&snapshot, "blocks_others_ms", writer), Some(0.0));
}

#[test]
fn a_writer_to_a_full_unix_socket_waits_for_its_server() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("service.sock").to_str().unwrap().to_owned();
    let (server, _) = start_helper(&format!("serve-unix {path}"));
    let (client, _) = start_helper(&format!("fill-unix {path}"));
    let (snapshot, client) = waits("write_wait_ms", &client);
    let server = process(&snapshot, server.pid()).unwrap();
    assert!(edge(&snapshot, client, "waits-for", server).is_some());
    assert!(value(&snapshot, "blocks_others_ms", server).unwrap() > 200.0);
}

#[test]
fn a_client_that_polls_a_unix_socket_waits_for_a_server_that_does_not_read() {
    let directory = tempfile::TempDir::new().unwrap();
    for part in ["serve-unix", "ignore-unix"] {
        let path = directory.path().join(part).to_str().unwrap().to_owned();
        let (server, _) = start_helper(&format!("{part} {path}"));
        let (client, _) = start_helper(&format!("poll-unix {path}"));
        let (snapshot, waiter) = waits("response_wait_ms", &client);
        let server = process(&snapshot, server.pid()).unwrap();
        let wait = edge(&snapshot, waiter, "connects", server).unwrap();
        assert_eq!((wait.blocked_ms, wait.count), (value(&snapshot, "response_wait_ms", waiter), 1), "{part}");
        assert_eq!(value(&snapshot, "request_pending_ms", server), wait.blocked_ms);
        assert_eq!(value(&snapshot, "unread_ms", server), wait.blocked_ms);
        assert_eq!(
            (value(&snapshot, "request_pending_ms", waiter), value(&snapshot, "unread_ms", waiter)),
            (Some(0.0), Some(0.0))
        );
    }
}

#[test]
fn a_parent_that_keeps_a_listener_for_its_child_has_no_pending_requests() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("service.sock").to_str().unwrap().to_owned();
    let (keeper, server) = start_helper(&format!("keep-unix {path}"));
    let (client, _) = start_helper(&format!("poll-unix {path}"));
    let (snapshot, (waiter, server)) = sweep_until(&mut sweeper(), |snapshot| {
        let waiter = process(snapshot, client.pid())?;
        let server = process(snapshot, server.parse().unwrap())?;
        (edge(snapshot, waiter, "connects", server)?.blocked_ms? > 200.0).then_some((waiter, server))
    });
    let keeper = process(&snapshot, keeper.pid()).unwrap();
    assert!(edge(&snapshot, waiter, "connects", keeper).is_none());
    assert_eq!(value(&snapshot, "request_pending_ms", server), value(&snapshot, "response_wait_ms", waiter));
    assert_eq!(
        (value(&snapshot, "request_pending_ms", keeper), value(&snapshot, "unread_ms", keeper)),
        (Some(0.0), Some(0.0))
    );
}

#[test]
fn data_that_flows_through_a_unix_socket_is_not_unread_for_long() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("service.sock").to_str().unwrap().to_owned();
    let (reader, _) = start_helper(&format!("drain-unix {path}"));
    let (writer, _) = start_helper(&format!("fill-unix {path}"));
    let mut sweeper = sweeper();
    for _ in 0..8 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let snapshot = sweeper.sweep().unwrap();
        let reader = process(&snapshot, reader.pid());
        let writer = process(&snapshot, writer.pid());
        // On a busy host both may be idle between two sweeps.
        assert!(value(&snapshot, "unread_ms", reader.unwrap()).unwrap() < 1000.0);
        assert!(value(&snapshot, "response_wait_ms", writer.unwrap()).unwrap() < 1000.0);
    }
}

#[test]
fn a_stopped_server_is_found_from_its_waiting_clients() {
    let (server, address) = start_helper("ignore -");
    kill_process(Pid::from_raw(server.0.id() as i32).unwrap(), Signal::STOP).unwrap();
    let clients: Vec<_> = (0..3).map(|_| start_helper(&format!("ask {address}")).0).collect();
    let (snapshot, client) = waits("response_wait_ms", &clients[2]);
    let server = process(&snapshot, server.pid()).unwrap();
    assert_eq!(value(&snapshot, "stopped", server), Some(1.0));
    assert!(value(&snapshot, "request_pending_ms", server).unwrap() > 200.0);
    assert!(edge(&snapshot, client, "connects", server).unwrap().blocked_ms.unwrap() > 200.0);
    let endpoint = snapshot.nodes.iter().position(|node| node.endpoint.as_deref() == Some(&address)).unwrap();
    assert_eq!(value(&snapshot, "accept_queue", endpoint), Some(3.0));
    assert!(value(&snapshot, "accept_queue_pct", endpoint).unwrap() > 0.0);
    assert_eq!(value(&snapshot, "connections", client), Some(1.0));
}

#[test]
fn a_server_that_does_not_read_reports_how_long() {
    let (server, address) = start_helper("serve -");
    let (_client, _) = start_helper(&format!("ask {address}"));
    let (snapshot, server) = waits("unread_ms", &server);
    assert!(value(&snapshot, "request_pending_ms", server).unwrap() >= value(&snapshot, "unread_ms", server).unwrap());
}

#[test]
fn contended_futexes_are_reported_once_a_request_is_pending() {
    let (server, address) = start_helper("stuck -");
    // Their threads wait at a futex too, but have no pending request.
    let _quiet: Vec<_> = (0..2).map(|_| start_helper(&format!("connect {address}")).0).collect();
    let mut sweeper = sweeper();
    let threads = |snapshot: &GraphSnapshot| value(snapshot, "threads", process(snapshot, server.pid())?);
    sweep_until(&mut sweeper, |snapshot| (threads(snapshot)? >= 4.0).then_some(()));
    let snapshot = sweeper.sweep().unwrap();
    assert_eq!(value(&snapshot, "futex_wait_ms", process(&snapshot, server.pid()).unwrap()), Some(0.0));
    let (client, _) = start_helper(&format!("ask {address}"));
    let (snapshot, server) = waits("futex_wait_ms", &server);
    assert!(value(&snapshot, "request_pending_ms", server) >= value(&snapshot, "futex_wait_ms", server));
    assert_eq!(value(&snapshot, "futex_wait_ms", process(&snapshot, client.pid()).unwrap()), Some(0.0));
    let proof = snapshot.evidence.iter().find(|proof| proof.nodes.contains(&(server as i32))).unwrap();
    assert!(proof.source.contains("/task/") && proof.text.ends_with("futex(wait), 3 threads"), "{proof:?}");
}

#[test]
fn contended_futexes_are_reported_while_more_threads_arrive() {
    let (server, address) = start_helper("stuck -");
    let mut sweeper = sweeper();
    let mut clients = Vec::new();
    let mut threads = Vec::new();
    for _ in 0..10 {
        clients.push(start_helper(&format!("ask {address}")).0);
        std::thread::sleep(std::time::Duration::from_millis(100));
        let snapshot = sweeper.sweep().unwrap();
        let Some(server) = process(&snapshot, server.pid()) else { continue };
        threads.push((value(&snapshot, "threads", server), value(&snapshot, "futex_wait_ms", server)));
    }
    let (Some((before, _)), Some((last, waited))) = (threads.get(threads.len() - 2), threads.last()) else { panic!() };
    assert!(last > before && *waited > Some(200.0), "{threads:?}");
}

#[test]
fn without_inspected_threads_zero_waits_are_not_claimed() {
    let (server, address) = start_helper("stuck -");
    let _clients: Vec<_> = (0..2).map(|_| start_helper(&format!("ask {address}")).0).collect();
    let mut producer = producer();
    producer.sweep.deep_cpu_percent = 0;
    let mut sweeper = Sweeper::new(producer).unwrap();
    let (snapshot, server) = sweep_until(&mut sweeper, |snapshot| {
        let server = process(snapshot, server.pid())?;
        (value(snapshot, "request_pending_ms", server)? > 200.0).then_some(server)
    });
    for column in ["futex_wait_ms", "read_wait_ms", "write_wait_ms"] {
        assert_eq!(
            (value(&snapshot, column, server), missing(&snapshot, column, server)),
            (None, Some("off")),
            "{column}"
        );
    }
}

#[test]
fn an_idle_connection_has_no_pending_request() {
    let (server, address) = start_helper("serve -");
    let (client, _) = start_helper(&format!("connect {address}"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let snapshot = sweeper().sweep().unwrap();
    let client = process(&snapshot, client.pid()).unwrap();
    let server = process(&snapshot, server.pid()).unwrap();
    assert_eq!(
        (value(&snapshot, "response_wait_ms", client), value(&snapshot, "request_pending_ms", server)),
        (Some(0.0), Some(0.0))
    );
}

#[test]
fn a_waiting_title_waits_for_the_one_idle_in_transaction() {
    let titled = |title: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg0(title);
        helpers::start_helper_with(command, "serve -")
    };
    let (waiting, address) = titled("postgres: app shop 127.0.0.1(4711) UPDATE waiting");
    let (idle, _) = titled("postgres: secret shop 127.0.0.1(4712) idle in transaction");
    let (_resting, _) = titled("postgres: app shop 127.0.0.1(4713) idle");
    let (_client, _) = start_helper(&format!("ask {address}"));
    let (snapshot, (waiter, holder)) = sweep_until(&mut sweeper(), |snapshot| {
        let waiter = process(snapshot, waiting.pid())?;
        let holder = process(snapshot, idle.pid())?;
        edge(snapshot, waiter, "waits-for", holder)?;
        Some((waiter, holder))
    });
    let wait = edge(&snapshot, waiter, "waits-for", holder).unwrap();
    assert_eq!(wait.basis, "inferred");
    assert!(wait.blocked_ms.unwrap() >= 900.0);
    assert_eq!(value(&snapshot, "blocks_others_tasks", holder), Some(1.0));
    let says =
        |at: usize, text: &str| snapshot.evidence.iter().any(|proof| proof.nodes == [at as i32] && proof.text == text);
    assert!(
        says(waiter, "postgres: backend: UPDATE waiting") && says(holder, "postgres: backend: idle in transaction")
    );
}
