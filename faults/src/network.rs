//! Network faults.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context;

use super::{
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::{self, Helper},
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
};

mod listeners;

/// The faults of this family.
pub const FAULTS: [Fault; 7] = [
    Fault {
        name: "packet-loss",
        family: Family::Network,
        description: "a third of the packets to the database are dropped",
        root_cause: "the database's endpoint",
        affected: "the web workers and the queue worker, which retransmit and wait",
        limits: "one port of loopback",
        undo: "the firewall rule is deleted",
        requirements: &[Requirement::Role("database"), Requirement::Root, Requirement::Tool("iptables")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: drop_packets,
    },
    Fault {
        name: "connection-flood",
        family: Family::Network,
        description: "an unrelated process occupies all connections of the front with incomplete requests",
        root_cause: "the `crawler`",
        affected: "the front, and its clients",
        limits: "900 connections",
        undo: "the process is killed, which closes its connections",
        requirements: &[Requirement::Role("front")],
        uses: ResourceUse { memory_mb: 64, disk_mb: 0 },
        accepts_path: false,
        inject: flood,
    },
    Fault {
        name: "leaked-connections",
        family: Family::Network,
        description: "a web worker leaks connections to the database until there are none left",
        root_cause: "the web worker, or its endpoint",
        affected: "the other web workers, and the database's endpoint",
        limits: "the limit of the shop's PostgreSQL",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Bug("connections")],
        uses: ResourceUse { memory_mb: 128, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("connections 40"),
    },
    Fault {
        name: "full-accept-queue",
        family: Family::Network,
        description: "a server accepts no connections: a web worker of the shop, the database of the warehouse",
        root_cause: "the server, or its endpoint",
        affected: "its clients, whose connections are not accepted",
        limits: "one listening socket",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Bug("no-accept")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("no-accept"),
    },
    Fault {
        name: "slow-peer",
        family: Family::Network,
        description: "a web worker delays each response by 400 ms",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, and its clients",
        limits: "one process",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Bug("slow")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("slow 400"),
    },
    Fault {
        name: "full-pipe",
        family: Family::Network,
        description: "a process does not read its pipe",
        root_cause: "the reader",
        affected: "the writer, which waits for space in the pipe",
        limits: "one pipe",
        undo: "the reader continues when the control connection closes",
        requirements: &[Requirement::Bug("unread-pipe")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("unread-pipe"),
    },
    Fault {
        name: "full-unix-socket",
        family: Family::Network,
        description: "a process does not read its Unix socket",
        root_cause: "the reader",
        affected: "the writer, which waits for space in the socket's buffer",
        limits: "one connection",
        undo: "the reader continues when the control connection closes",
        requirements: &[Requirement::Bug("unread-socket")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("unread-socket"),
    },
];

fn drop_packets(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    const PROBABILITY: &str = "0.33";
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let database = workload.pick("database")?;
    let endpoint = database.endpoint.context("the database has no endpoint")?;
    listeners::check_owner(endpoint.port(), workload.user)?;
    let [host, port] = [endpoint.ip().to_string(), endpoint.port().to_string()];
    let packets = ["INPUT", "-i", "lo", "-p", "tcp", "-d", &host, "--dport", &port];
    let action = ["-m", "statistic", "--mode", "random", "--probability", PROBABILITY, "-j", "DROP"];
    injector.add_firewall_rule(packets.into_iter().chain(action).map(str::to_owned).collect())?;
    let root_cause = vec![Suspect::endpoint(endpoint)];
    Ok(GroundTruth { root_cause, affected: workload.suspects(&database.clients) })
}

fn flood(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let endpoint = workload.pick("front")?.endpoint.context("the front has no endpoint")?;
    let crawler = injector.start(&Helper::Crawler(endpoint))?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(crawler)], affected: workload.suspects(&["front"]) })
}

/// Helper `crawler`: holds many connections, each with an incomplete request, and replaces those
/// that the server closes.
///
/// # Errors
/// If the injecting process is gone.
pub fn hold_connections(address: SocketAddr) -> anyhow::Result<()> {
    const MAX_CONNECTIONS: usize = 900;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut is_ready = false;
    loop {
        connections.retain_mut(is_open);
        while connections.len() < MAX_CONNECTIONS
            && let Some(connection) = send_incomplete_request(address)
        {
            connections.push(connection);
        }
        if !is_ready {
            helper::report_ready()?;
            is_ready = true;
        }
        helper::pause(PAUSE);
    }
}

fn send_incomplete_request(address: SocketAddr) -> Option<TcpStream> {
    const TIMEOUT: Duration = Duration::from_millis(200);
    let mut connection = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    connection.set_nonblocking(true).ok()?;
    // Servers close connections without any data first.
    connection.write_all(b"GET /stock HTTP/1.1\r\nHost: shop\r\n").ok()?;
    Some(connection)
}

fn is_open(connection: &mut TcpStream) -> bool {
    matches!(connection.read(&mut [0; 512]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
