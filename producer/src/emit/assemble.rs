//! From what a sweep saw to the snapshot's nodes, edges, columns and evidence.

mod cgroup_names;
mod cgroups;
mod filesystems;
mod processes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostread::Seen;
use schemas::{EdgeKind, Node, NodeKind};

use crate::{
    collect::{
        self,
        cgroups::Groups,
        files::{FileKey, FileTable},
        measure::{Measure, Measured, Reason},
        process::Process,
        rates::Rates,
        role,
        system::Resource,
    },
    emit::builder::{Builder, Relation},
    relate::{
        connections::{Endpoint, Link, Network, Target, Tie},
        futexes::{self, Crowd},
        stalls::{MIN_STALL, Stall},
        titles,
        waits::Picture,
    },
};

/// With more processes at the other end of a pipe or socket nobody can be named.
const MOST_OTHERS: usize = 4;

/// Everything that a sweep saw.
pub struct Sighting<'s> {
    /// Processes; everything else points here by index.
    pub processes: &'s [Process],
    /// The rates of each of them.
    pub rates: &'s [Rates],
    /// How many threads of a process nobody has looked at, if any.
    pub unlooked: &'s BTreeMap<usize, usize>,
    /// How many new processes a second there are below each of them.
    pub forks: &'s [Measured],
    /// Files.
    pub files: &'s FileTable,
    /// Endpoints and who is linked to them.
    pub network: &'s Network,
    /// Filesystems, and who waits for them.
    pub filesystems: &'s collect::filesystems::Picture,
    /// Locks and waits.
    pub locks: &'s Picture,
    /// Reads and writes that go on.
    pub stalls: &'s [Stall],
    /// Threads that wait for one another.
    pub crowds: &'s [Crowd],
    /// What processes say that are concerned with a wait.
    pub titles: &'s titles::Picture,
    /// Pairs of a reader and a writer of a pipe.
    pub pipes: &'s BTreeSet<(usize, usize)>,
    /// Control groups.
    pub groups: &'s Groups<'s>,
    /// The host's resources.
    pub system: &'s [Resource],
    /// Bytes of a page of memory.
    pub page: f64,
}

/// Puts the parts together.
pub fn assemble(sighting: &Sighting<'_>) -> Builder {
    let mut builder = Builder::default();
    add_system(&mut builder, sighting.system);
    let groups = cgroups::add(&mut builder, sighting.groups);
    let processes = processes::add(&mut builder, sighting);
    add_families(&mut builder, sighting.processes, &processes, &groups);
    let filesystems = filesystems::add(&mut builder, sighting.filesystems, &processes);
    let files = add_files(&mut builder, sighting, &processes, &filesystems);
    add_locks(&mut builder, sighting.locks, &processes, &files);
    add_stalls(&mut builder, sighting.stalls, &processes);
    for crowd in sighting.crowds.iter().filter(|crowd| crowd.stayed >= futexes::MIN_WAIT) {
        builder.evidence(&crowd.source, &crowd.text, processes.get(crowd.process).copied());
    }
    add_titles(&mut builder, sighting, &processes);
    add_network(&mut builder, sighting.network, &processes);
    for (reader, writer) in sighting.pipes {
        if let (Some(reader), Some(writer)) = (processes.get(*reader), processes.get(*writer)) {
            builder.edge(*reader, *writer, EdgeKind::Pipes, Relation::OBSERVED);
        }
    }
    builder
}

fn add_system(builder: &mut Builder, resources: &[Resource]) {
    for Resource { id, role, name, figures } in resources {
        let (kind, id, role, name) = (NodeKind::System, id.clone(), role.clone(), name.clone());
        let node = builder.node(Node { id, kind, role, name, ..Node::default() });
        for (measure, measured) in figures {
            builder.put(*measure, node, *measured);
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
        let places = process.about.groups.places().iter().filter(|place| place.innermost);
        for group in places.filter_map(|place| groups.get(place.path.as_str())) {
            builder.edge(*node, *group, EdgeKind::MemberOf, Relation::OBSERVED);
        }
    }
    for (node, (children, zombies)) in offspring {
        builder.put(Measure::Children, node, Ok(f64::from(children)));
        builder.put(Measure::Zombies, node, Ok(f64::from(zombies)));
    }
}

/// A node for each file that is written, shared, locked or waited for, or on a filesystem in trouble, linked to its
/// openers.
fn add_files(
    builder: &mut Builder,
    sighting: &Sighting<'_>,
    nodes: &[i32],
    filesystems: &BTreeMap<(u32, u32), i32>,
) -> BTreeMap<FileKey, i32> {
    let mut openers = BTreeMap::<FileKey, (BTreeSet<usize>, bool)>::new();
    for (at, process) in sighting.processes.iter().enumerate() {
        let Seen::Here(handles) = &process.handles else { continue };
        for (_, file, writes) in handles.files() {
            let (by, written) = openers.entry(file).or_default();
            by.insert(at);
            *written |= writes;
        }
    }
    let mut locked: BTreeSet<FileKey> = sighting.locks.held.iter().map(|held| held.file).collect();
    locked.extend(sighting.locks.waits.iter().map(|wait| wait.file));
    let mut added = BTreeMap::new();
    for (key, (by, written)) in &openers {
        let Some(file) = sighting.files.get(key) else { continue };
        let trouble = sighting.filesystems.trouble_of(key).and_then(|device| filesystems.get(&device));
        let shown = locked.contains(key) || (file.regular && (*written || by.len() > 1 || trouble.is_some()));
        if !shown {
            continue;
        }
        let (major, minor) = key.device;
        let node = builder.node(Node {
            id: format!("f:{major}:{minor}:{}", key.inode),
            kind: NodeKind::File,
            role: role::of_file(&file.path),
            name: file.path.clone(),
            path: Some(file.path.clone()),
            ..Node::default()
        });
        builder.put(Measure::OpenBy, node, Ok(by.len() as f64));
        let waits = || sighting.locks.waits.iter().filter(|wait| wait.file == *key);
        let longest = waits().map(|wait| wait.blocked.as_secs_f64() * 1000.0).reduce(f64::max);
        let count = longest.map(|_| waits().count() as f64);
        let may_hide = sighting.locks.may_hide_waits;
        builder.put(Measure::LockWaiters, node, unless_hidden(count, may_hide));
        builder.put(Measure::LockWaitMs, node, unless_hidden(longest, may_hide));
        for process in by.iter().filter_map(|at| nodes.get(*at)) {
            builder.edge(*process, node, EdgeKind::Opens, Relation::OBSERVED);
        }
        if let Some(filesystem) = trouble {
            builder.edge(node, *filesystem, EdgeKind::MemberOf, Relation::OBSERVED);
        }
        added.insert(*key, node);
    }
    added
}

fn add_locks(builder: &mut Builder, locks: &Picture, nodes: &[i32], files: &BTreeMap<FileKey, i32>) {
    for held in &locks.held {
        let Some(file) = files.get(&held.file) else { continue };
        for holder in &held.holders {
            let Some(process) = nodes.get(holder.process) else { continue };
            let relation = if holder.main { Relation::OBSERVED } else { Relation::INFERRED };
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
    for proof in &locks.proofs {
        let processes = proof.processes.iter().filter_map(|at| nodes.get(*at)).copied();
        builder.evidence(&proof.source, &proof.text, processes.chain(files.get(&proof.file).copied()));
    }
}

/// A wait in a read is told on the relation that is there anyway, one in a write as a wait for who should read.
fn add_stalls(builder: &mut Builder, stalls: &[Stall], nodes: &[i32]) {
    for stall in stalls.iter().filter(|stall| stall.others.len() <= MOST_OTHERS && stall.blocked >= MIN_STALL) {
        let Some(waiter) = nodes.get(stall.process) else { continue };
        let blocked_ms = Some((stall.blocked.as_secs_f64() * 1000.0) as f32);
        let observed = stall.others.len() == 1;
        let kind = match (stall.writes, stall.is_pipe) {
            (true, _) => EdgeKind::WaitsFor,
            (false, true) => EdgeKind::Pipes,
            (false, false) => EdgeKind::Connects,
        };
        let others: Vec<i32> = stall.others.iter().filter_map(|other| nodes.get(*other)).copied().collect();
        for other in &others {
            builder.edge(*waiter, *other, kind.clone(), Relation { observed, blocked_ms, ..Relation::OBSERVED });
        }
        if stall.writes {
            builder.evidence(&stall.source, &stall.text, others.into_iter().chain([*waiter]));
        }
    }
}

/// Titles are evidence, and may tell who waits for whom.
fn add_titles(builder: &mut Builder, sighting: &Sighting<'_>, nodes: &[i32]) {
    for titled in &sighting.titles.titles {
        if let (Some(process), Some(node)) = (sighting.processes.get(titled.process), nodes.get(titled.process)) {
            builder.evidence(&format!("/proc/{}/cmdline", process.key.pid), &titled.text, [*node]);
        }
    }
    for wait in &sighting.titles.waits {
        if let (Some(waiter), Some(holder)) = (nodes.get(wait.waiter), nodes.get(wait.holder)) {
            let blocked_ms = Some((wait.blocked.as_secs_f64() * 1000.0) as f32);
            builder.edge(*waiter, *holder, EdgeKind::WaitsFor, Relation { blocked_ms, ..Relation::INFERRED });
        }
    }
}

/// A node for each endpoint, linked to the processes; and the links between processes.
fn add_network(builder: &mut Builder, network: &Network, nodes: &[i32]) {
    let endpoints: Vec<i32> = network.endpoints.iter().map(|endpoint| add_endpoint(builder, endpoint)).collect();
    for ((source, target, tie), link) in &network.links {
        let target = match target {
            Target::Process(at) => nodes.get(*at),
            Target::Endpoint(at) => endpoints.get(*at),
        };
        let (Some(source), Some(target)) = (nodes.get(*source), target) else { continue };
        let kind = match tie {
            Tie::Connects => EdgeKind::Connects,
            // The server depends on its endpoint as on a file that it has open.
            Tie::Opens => EdgeKind::Opens,
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
        (Measure::Connections, Some(Ok(endpoint.connections as f64))),
        (Measure::RttMs, endpoint.rtt_ms.map(|rtt| rtt.map(f64::from))),
        (Measure::RecvQueue, Some(Ok(endpoint.recv_queue as f64))),
        (Measure::SendQueue, endpoint.send_queue.map(|bytes| Ok(bytes as f64))),
        (Measure::AcceptQueue, endpoint.accept_queue.map(|queue| Ok(queue as f64))),
        (Measure::AcceptQueuePct, accept_queue_pct(endpoint).map(Ok)),
        (Measure::Retransmits, endpoint.retransmits),
        (Measure::OwingMs, endpoint.owing_ms),
    ];
    for (measure, measured) in figures {
        if let Some(measured) = measured {
            builder.put(measure, node, measured);
        }
    }
    node
}

/// What is not seen is nothing, unless something may be hidden.
fn unless_hidden(seen: Option<f64>, may_hide: bool) -> Measured {
    match seen {
        None if may_hide => Err(Reason::Denied),
        seen => Ok(seen.unwrap_or(0.0)),
    }
}

/// A queue is full once it has one more than its limit.
fn accept_queue_pct(endpoint: &Endpoint) -> Option<f64> {
    let (queue, limit) = (endpoint.accept_queue?, endpoint.accept_limit?);
    Some((queue as f64 / (limit as f64 + 1.0) * 100.0).min(100.0))
}
