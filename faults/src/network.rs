//! What is between two processes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context;

use super::{
    fault::{Family, Fault},
    need::Need,
    part::{self, BEGUN, Part},
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
};

/// The faults of this family.
pub const FAULTS: [Fault; 5] = [
    Fault {
        name: "packet-loss",
        family: Family::Network,
        does: "a third of the packets for the database are lost",
        blame: "the database's endpoint",
        suffers: "the web workers and the queue worker, which send again and wait",
        bounds: "one port of loopback",
        undone: "the rule of the packet filter is deleted",
        needs: &[Need::Shop, Need::Root, Need::Tool("iptables")],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: lose_packets,
    },
    Fault {
        name: "connection-flood",
        family: Family::Network,
        does: "a foreign process takes all connections of the front, and asks for nothing",
        blame: "the `crawler`",
        suffers: "the front, and whoever wants to buy",
        bounds: "900 connections",
        undone: "its process ends, and its connections with it",
        needs: &[Need::Shop],
        takes: Takes { memory: 64, disk: 0 },
        takes_path: false,
        play: flood,
    },
    Fault {
        name: "leaked-connections",
        family: Family::Network,
        does: "a web worker opens connections to the database and gives none back, until there are no more",
        blame: "the web worker, or its endpoint",
        suffers: "the other web workers, and the database's endpoint",
        bounds: "the limit of the shop's PostgreSQL",
        undone: "the worker sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 128, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_of_web("connections 40"),
    },
    Fault {
        name: "full-accept-queue",
        family: Family::Network,
        does: "a web worker accepts no connection any more",
        blame: "the web worker, or its endpoint",
        suffers: "the front, which waits to be let in",
        bounds: "one listening socket",
        undone: "the worker sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_of_web("deaf"),
    },
    Fault {
        name: "slow-peer",
        family: Family::Network,
        does: "a web worker gives each answer 400 ms late",
        blame: "the web worker, or its endpoint",
        suffers: "the front, and whoever wants to buy",
        bounds: "one process",
        undone: "the worker sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_of_web("slow 400"),
    },
];

fn lose_packets(stage: &mut Stage) -> anyhow::Result<Deed> {
    const SHARE: &str = "0.33";
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let (host, port) = shop.database.endpoint.rsplit_once(':').context("the database has no port")?;
    let rule = ["INPUT", "-i", "lo", "-p", "tcp", "-d", host, "--dport", port];
    let lost = ["-m", "statistic", "--mode", "random", "--probability", SHARE, "-j", "DROP"];
    stage.filter(rule.into_iter().chain(lost).map(str::to_owned).collect())?;
    Ok(Deed::of(vec![Suspect::endpoint(&shop.database.endpoint)], shop.suspects(&["web", "queue"])))
}

fn flood(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let crawler = stage.start(&Part::Crawler(shop.front.clone()))?;
    Ok(Deed::of(vec![Suspect::process(crawler)], shop.suspects(&["front"])))
}

/// Keeps as many connections as it may, each with half a question, and replaces those that are closed.
///
/// # Errors
/// If the address makes no sense.
pub fn crawl(address: &str) -> anyhow::Result<()> {
    const MOST: usize = 900;
    const PAUSE: Duration = Duration::from_millis(50);
    let address: SocketAddr = address.parse().with_context(|| format!("expected IP:PORT, found `{address}`"))?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut has_begun = false;
    loop {
        connections.retain_mut(is_open);
        while connections.len() < MOST
            && let Some(connection) = ask_half(&address)
        {
            connections.push(connection);
        }
        if !has_begun {
            part::tell(BEGUN)?;
            has_begun = true;
        }
        part::pause(PAUSE);
    }
}

fn ask_half(address: &SocketAddr) -> Option<TcpStream> {
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut connection = TcpStream::connect_timeout(address, PATIENCE).ok()?;
    connection.set_nonblocking(true).ok()?;
    // What has not said anything yet is the first that a server closes.
    connection.write_all(b"GET /stock HTTP/1.1\r\nHost: shop\r\n").ok()?;
    Some(connection)
}

fn is_open(connection: &mut TcpStream) -> bool {
    matches!(connection.read(&mut [0; 512]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
