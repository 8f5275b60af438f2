//! Assembles a snapshot's nodes, edges, columns and evidence from the facts of a sweep.

mod cgroup_names;
mod cgroups;
mod files;
mod filesystems;
mod processes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemas::{EdgeKind, Node, NodeKind};
use signals::Signal;

use collector::{
    self,
    cgroups::Groups,
    coverage::CoverageBuilder,
    files::{FileKey, FileTable},
    measure::{Measured, Reason},
    process::Process,
    rates::Rates,
    system::Resource,
};

use crate::{
    emit::builder::{Builder, Relation},
    relate::{
        connections::{Endpoint, Link, LinkKind, Network, Target},
        futexes::{self, ContendedFutex},
        lock_waits::FileLocks,
        stalls::{MIN_STALL, Stall},
        titles,
    },
};

/// Most processes at the other end of a pipe or socket to which a wait for it is attributed. Of
/// more, none is a likely cause.
const MAX_PEERS: usize = 4;

/// All facts of a sweep.
pub struct SweepFacts<'s> {
    /// Processes; all other facts refer to them by index.
    pub processes: &'s [Process],
    /// Rates of each process.
    pub rates: &'s [Rates],
    /// Number of threads that were not inspected, by process.
    pub skipped_threads: &'s BTreeMap<usize, usize>,
    /// New processes per second below each process.
    pub new_process_rates: &'s [Measured],
    /// Open files.
    pub files: &'s FileTable,
    /// Endpoints and links.
    pub network: &'s Network,
    /// Filesystems and the tasks that wait for them.
    pub filesystems: &'s collector::filesystems::Filesystems,
    /// File locks and lock waits.
    pub locks: &'s FileLocks,
    /// Reads and writes that do not finish.
    pub stalls: &'s [Stall],
    /// Futexes with several waiting threads.
    pub contended_futexes: &'s [ContendedFutex],
    /// Titles of processes that wait or block others.
    pub titles: &'s titles::Titles,
    /// Pairs of a reader and a writer of a pipe.
    pub pipes: &'s BTreeSet<(usize, usize)>,
    /// Control groups.
    pub groups: &'s Groups<'s>,
    /// Resources of the host.
    pub system: &'s [Resource],
    /// Page size in bytes.
    pub page: f64,
}

/// Assembles the snapshot, with at most about `max_files` files.
pub fn assemble(facts: &SweepFacts<'_>, max_files: u64, coverage: &mut CoverageBuilder) -> Builder {
    let mut builder = Builder::default();
    add_system(&mut builder, facts.system);
    let groups = cgroups::add(&mut builder, facts.groups);
    let processes = processes::add(&mut builder, facts);
    add_families(&mut builder, facts.processes, &processes, &groups);
    let filesystems = filesystems::add(&mut builder, facts.filesystems, &processes);
    let files = files::add(&mut builder, facts, &processes, &filesystems, max_files);
    coverage.add("file", Reason::Off, files.left_out);
    add_locks(&mut builder, facts.locks, &processes, &files.nodes);
    add_stalls(&mut builder, facts.stalls, &processes);
    for futex in facts.contended_futexes.iter().filter(|futex| futex.waited >= futexes::MIN_WAIT) {
        builder.evidence(&futex.source, &futex.text, processes.get(futex.process).copied());
    }
    add_titles(&mut builder, facts, &processes);
    add_network(&mut builder, facts.network, &processes);
    for (reader, writer) in facts.pipes {
        if let (Some(reader), Some(writer)) = (processes.get(*reader), processes.get(*writer)) {
            builder.edge(*reader, *writer, EdgeKind::Pipes, Relation::OBSERVED);
        }
    }
    builder
}

fn add_system(builder: &mut Builder, resources: &[Resource]) {
    for Resource { id, role, name, figures } in resources {
        let kind = NodeKind::System;
        let id = id.clone();
        let role = role.clone();
        let name = name.clone();
        let node = builder.node(Node { id, kind, role, name, ..Node::default() });
        for (signal, measured) in figures {
            builder.put(*signal, node, *measured);
        }
    }
}

/// Links processes to their parents and control groups.
fn add_families(builder: &mut Builder, processes: &[Process], nodes: &[i32], groups: &BTreeMap<&str, i32>) {
    let by_pid: HashMap<u32, i32> =
        processes.iter().zip(nodes).map(|(process, node)| (process.key.pid, *node)).collect();
    let mut offspring: BTreeMap<i32, (u32, u32)> = nodes.iter().map(|node| (*node, (0, 0))).collect();
    for (process, node) in processes.iter().zip(nodes) {
        if let Some(parent) = by_pid.get(&process.parent) {
            builder.edge(*node, *parent, EdgeKind::Parent, Relation::OBSERVED);
            let (children, zombies) = offspring.entry(*parent).or_default();
            *children += 1;
            *zombies += u32::from(process.state == b'Z');
        }
        let memberships = process.info.groups.iter().filter(|place| place.is_innermost);
        for group in memberships.filter_map(|place| groups.get(place.path.as_str())) {
            builder.edge(*node, *group, EdgeKind::MemberOf, Relation::OBSERVED);
        }
    }
    for (node, (children, zombies)) in offspring {
        builder.put(Signal::Children, node, Ok(f64::from(children)));
        builder.put(Signal::Zombies, node, Ok(f64::from(zombies)));
    }
}

fn add_locks(builder: &mut Builder, locks: &FileLocks, nodes: &[i32], files: &BTreeMap<FileKey, i32>) {
    for held in &locks.held {
        let Some(file) = files.get(&held.file) else { continue };
        for holder in &held.holders {
            let Some(process) = nodes.get(holder.process) else { continue };
            let relation = if holder.is_main { Relation::OBSERVED } else { Relation::INFERRED };
            builder.edge(*process, *file, EdgeKind::HoldsLock, relation);
        }
    }
    for wait in &locks.waits {
        let Some(waiter) = nodes.get(wait.process) else { continue };
        let blocked_ms = Some((wait.blocked.as_secs_f64() * 1000.0) as f32);
        if let Some(file) = files.get(&wait.file) {
            builder.edge(*waiter, *file, EdgeKind::WaitsLock, Relation { blocked_ms, ..Relation::OBSERVED });
        }
        for holder in &wait.holders {
            let Some(process) = nodes.get(holder.process) else { continue };
            let relation = Relation { observed: holder.observed, blocked_ms, ..Relation::OBSERVED };
            builder.edge(*waiter, *process, EdgeKind::WaitsFor, relation);
        }
    }
    for evidence in &locks.evidence {
        let processes = evidence.processes.iter().filter_map(|at| nodes.get(*at)).copied();
        builder.evidence(&evidence.source, &evidence.text, processes.chain(files.get(&evidence.file).copied()));
    }
}

/// Adds stalls: a stalled read sets the wait on the existing `pipes` or `connects` edge, a stalled
/// write adds a `waits-for` edge to the readers.
fn add_stalls(builder: &mut Builder, stalls: &[Stall], nodes: &[i32]) {
    for stall in stalls.iter().filter(|stall| stall.peers.len() <= MAX_PEERS && stall.blocked >= MIN_STALL) {
        let Some(waiter) = nodes.get(stall.process) else { continue };
        let blocked_ms = Some((stall.blocked.as_secs_f64() * 1000.0) as f32);
        let observed = stall.peers.len() == 1;
        let kind = match (stall.writes, stall.is_pipe) {
            (true, _) => EdgeKind::WaitsFor,
            (false, true) => EdgeKind::Pipes,
            (false, false) => EdgeKind::Connects,
        };
        let peers: Vec<i32> = stall.peers.iter().filter_map(|other| nodes.get(*other)).copied().collect();
        for other in &peers {
            builder.edge(*waiter, *other, kind.clone(), Relation { observed, blocked_ms, ..Relation::OBSERVED });
        }
        if stall.writes {
            builder.evidence(&stall.source, &stall.text, peers.into_iter().chain([*waiter]));
        }
    }
}

/// Adds titles as evidence, and the waits that they show.
fn add_titles(builder: &mut Builder, facts: &SweepFacts<'_>, nodes: &[i32]) {
    for title in &facts.titles.titles {
        if let (Some(process), Some(node)) = (facts.processes.get(title.process), nodes.get(title.process)) {
            builder.evidence(&format!("/proc/{}/cmdline", process.key.pid), &title.text, [*node]);
        }
    }
    for wait in &facts.titles.waits {
        if let (Some(waiter), Some(holder)) = (nodes.get(wait.waiter), nodes.get(wait.holder)) {
            let blocked_ms = Some((wait.blocked.as_secs_f64() * 1000.0) as f32);
            builder.edge(*waiter, *holder, EdgeKind::WaitsFor, Relation { blocked_ms, ..Relation::INFERRED });
        }
    }
}

/// Adds a node for each endpoint, its links to processes, and the links between processes.
fn add_network(builder: &mut Builder, network: &Network, nodes: &[i32]) {
    let endpoints: Vec<i32> = network.endpoints.iter().map(|endpoint| add_endpoint(builder, endpoint)).collect();
    for ((source, target, kind_of_link), link) in &network.links {
        let target = match target {
            Target::Process(at) => nodes.get(*at),
            Target::Endpoint(at) => endpoints.get(*at),
        };
        let (Some(source), Some(target)) = (nodes.get(*source), target) else { continue };
        let kind = match kind_of_link {
            LinkKind::Connects => EdgeKind::Connects,
            // A server depends on its endpoint as on an open file.
            LinkKind::Opens => EdgeKind::Opens,
        };
        let count = i32::try_from(link.count).unwrap_or(i32::MAX);
        let Link { observed, blocked_ms, latency_ms, .. } = *link;
        let relation = Relation { observed, blocked_ms, latency_ms, count };
        builder.edge(*source, *target, kind, relation);
    }
}

fn add_endpoint(builder: &mut Builder, endpoint: &Endpoint) -> i32 {
    let node = builder.node(Node {
        id: endpoint.id.clone(),
        kind: NodeKind::Endpoint,
        role: endpoint.role.clone(),
        name: endpoint.name.clone(),
        path: endpoint.path.clone(),
        endpoint: endpoint.address.clone(),
        ..Node::default()
    });
    let figures = [
        (Signal::Connections, Some(Ok(endpoint.connections as f64))),
        (Signal::RttMs, endpoint.rtt_ms.map(|rtt| rtt.map(f64::from))),
        (Signal::RecvQueue, Some(Ok(endpoint.recv_queue as f64))),
        (Signal::SendQueue, endpoint.send_queue.map(|bytes| Ok(bytes as f64))),
        (Signal::AcceptQueue, endpoint.accept_queue.map(|queue| Ok(queue as f64))),
        (Signal::AcceptQueuePct, accept_queue_pct(endpoint).map(Ok)),
        (Signal::Retransmits, endpoint.retransmits),
        (Signal::RequestPendingMs, endpoint.pending_request_ms),
    ];
    for (signal, measured) in figures {
        if let Some(measured) = measured {
            builder.put(signal, node, measured);
        }
    }
    node
}

/// An absent value is 0, or missing if it may be hidden.
fn unless_hidden(seen: Option<f64>, may_hide: bool) -> Measured {
    match seen {
        None if may_hide => Err(Reason::Denied),
        seen => Ok(seen.unwrap_or(0.0)),
    }
}

/// The kernel accepts one connection more than the limit.
fn accept_queue_pct(endpoint: &Endpoint) -> Option<f64> {
    let queue = endpoint.accept_queue?;
    let limit = endpoint.accept_limit?;
    Some((queue as f64 / (limit as f64 + 1.0) * 100.0).min(100.0))
}
