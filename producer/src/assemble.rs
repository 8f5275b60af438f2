//! From what a sweep saw to the snapshot's nodes, edges, columns and evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemas::Node;

use crate::{
    builder::{Builder, Relation},
    columns::{Measure, Measured, Reason},
    connections::{Endpoint, Network, Target, Tie},
    files::{FileKey, FileTable},
    parse::system::CpuTicks,
    process::Process,
    rates::Rates,
    read::Seen,
    role,
    system::{RESOURCES, System},
    waits::{Picture, Wait},
};

/// Everything that a sweep saw.
pub struct Sighting<'s> {
    /// Processes; everything else points here by index.
    pub processes: &'s [Process],
    /// The rates of each of them.
    pub rates: &'s [Rates],
    /// Files.
    pub files: &'s FileTable,
    /// Endpoints and who is linked to them.
    pub network: &'s Network,
    /// Locks and waits.
    pub locks: &'s Picture,
    /// Pairs of a reader and a writer of a pipe.
    pub pipes: &'s BTreeSet<(usize, usize)>,
    /// The host.
    pub system: &'s System,
    /// The host's clock ticks in the sweep before.
    pub ticks_before: Option<CpuTicks>,
    /// Bytes of a page of memory.
    pub page: f64,
}

/// Puts the parts together.
pub fn assemble(sighting: &Sighting<'_>) -> Builder {
    let mut builder = Builder::default();
    add_system(&mut builder, sighting);
    let groups = add_cgroups(&mut builder, sighting.processes);
    let processes = add_processes(&mut builder, sighting);
    add_families(&mut builder, sighting.processes, &processes, &groups);
    let files = add_files(&mut builder, sighting, &processes);
    add_locks(&mut builder, sighting.locks, &processes, &files);
    add_network(&mut builder, sighting.network, &processes);
    for (reader, writer) in sighting.pipes {
        if let (Some(reader), Some(writer)) = (processes.get(*reader), processes.get(*writer)) {
            builder.edge(*reader, *writer, "pipes", Relation::OBSERVED);
        }
    }
    builder
}

fn add_system(builder: &mut Builder, sighting: &Sighting<'_>) {
    let nodes = RESOURCES.map(|(id, name)| {
        let (kind, role) = ("system".to_owned(), name.to_owned());
        builder.node(Node { id: id.to_owned(), kind, role, name: name.to_owned(), ..Node::default() })
    });
    for (resource, measure, measured) in sighting.system.measured(sighting.ticks_before) {
        if let Some(node) = nodes.get(resource) {
            builder.put(measure, *node, measured);
        }
    }
}

/// A node for each control group, but the root, that holds processes.
fn add_cgroups<'p>(builder: &mut Builder, processes: &'p [Process]) -> BTreeMap<&'p str, i32> {
    let mut counts = BTreeMap::<&str, u32>::new();
    for path in processes.iter().filter_map(|process| process.about.cgroup.as_deref()).filter(|path| *path != "/") {
        *counts.entry(path).or_default() += 1;
    }
    let add = |(path, count): (&'p str, u32)| {
        let container = role::container(path);
        let role =
            container.map_or_else(|| role::fold_digits(path), |id| format!("[c:{}]", id.get(..12).unwrap_or(id)));
        let node = builder.node(Node {
            id: format!("c:{path}"),
            kind: "cgroup".to_owned(),
            role,
            name: path.to_owned(),
            container: container.map(str::to_owned),
            ..Node::default()
        });
        builder.put(Measure::Processes, node, Ok(f64::from(count)));
        (path, node)
    };
    counts.into_iter().map(add).collect()
}

/// A node for each process, in the sweep's order; returns their indices.
fn add_processes(builder: &mut Builder, sighting: &Sighting<'_>) -> Vec<i32> {
    let blocks = Blocks::of(&sighting.locks.waits);
    let mut nodes = Vec::with_capacity(sighting.processes.len());
    for (at, (process, rates)) in sighting.processes.iter().zip(sighting.rates).enumerate() {
        let identity = process.identity;
        let node = builder.node(Node {
            id: format!("p:{}:{}", identity.pid, identity.start_time),
            kind: "process".to_owned(),
            role: process.about.role.clone(),
            name: process.about.comm.clone(),
            pid: Some(i64::from(identity.pid)),
            start_time: i64::try_from(identity.start_time).ok(),
            container: process.about.cgroup.as_deref().and_then(role::container).map(str::to_owned),
            ..Node::default()
        });
        nodes.push(node);
        put_figures(builder, node, process, rates, sighting.page);
        put_state(builder, node, process.state);
        let locks = sighting.locks;
        let (hides_wait, hides_hold) = (locks.may_hide_waits, locks.may_hide_holders);
        let closed = process.is_closed();
        builder.put(Measure::BlockedMs, node, unless_hidden(blocks.blocked_ms(at), closed && hides_wait));
        builder.put(Measure::BlocksMs, node, unless_hidden(blocks.blocks_ms(at), closed && hides_hold));
        builder.put(Measure::BlocksTasks, node, unless_hidden(blocks.blocks_tasks(at), closed && hides_hold));
    }
    nodes
}

/// What is not seen is nothing, unless something may be hidden.
fn unless_hidden(seen: Option<f64>, may_hide: bool) -> Measured {
    match seen {
        None if may_hide => Err(Reason::Denied),
        seen => Ok(seen.unwrap_or(0.0)),
    }
}

fn put_figures(builder: &mut Builder, node: i32, process: &Process, rates: &Rates, page: f64) {
    let handles = process.handles.as_ref();
    let sockets = match process.handles.as_ref() {
        Seen::Here(handles) if handles.denied => Err(Reason::Denied),
        handles => handles.map(|handles| handles.sockets().count() as f64).measured(),
    };
    let figures: [(Measure, Measured); 10] = [
        (Measure::CpuPct, rates.cpu_pct),
        (Measure::MemoryRss, process.resident_pages.measured().map(|pages| pages as f64 * page)),
        (Measure::MemoryGrowth, rates.private_pages.map(|pages| pages * page)),
        (Measure::Threads, Ok(process.threads as f64)),
        (Measure::Fds, handles.map(|handles| handles.count as f64).measured()),
        (Measure::Sockets, sockets),
        (Measure::MajorFaults, rates.major_faults),
        (Measure::RunDelayPct, rates.run_delay_pct),
        (Measure::ReadBytes, rates.read_bytes),
        (Measure::WriteBytes, rates.write_bytes),
    ];
    for (measure, measured) in figures {
        builder.put(measure, node, measured);
    }
}

fn put_state(builder: &mut Builder, node: i32, state: u8) {
    // Upper and lower case differ: a stopped process was told to, a traced one is held by its debugger.
    let flags = [
        (Measure::Running, b'R'),
        (Measure::DiskWait, b'D'),
        (Measure::Stopped, b'T'),
        (Measure::Traced, b't'),
        (Measure::Zombie, b'Z'),
    ];
    for (measure, letter) in flags {
        builder.put(measure, node, Ok(f64::from(u8::from(state == letter))));
    }
}

/// What lock waits mean for each process.
struct Blocks {
    blocked: HashMap<usize, f64>,
    blocks: HashMap<usize, (f64, u32)>,
}

impl Blocks {
    fn of(waits: &[Wait]) -> Blocks {
        let mut found = Blocks { blocked: HashMap::new(), blocks: HashMap::new() };
        for wait in waits {
            let millis = wait.blocked.as_secs_f64() * 1000.0;
            let blocked = found.blocked.entry(wait.process).or_default();
            *blocked = blocked.max(millis);
            for holder in wait.holders.iter().filter(|holder| holder.main) {
                let (longest, tasks) = found.blocks.entry(holder.process).or_default();
                *longest = longest.max(millis);
                *tasks += 1;
            }
        }
        found
    }

    fn blocked_ms(&self, process: usize) -> Option<f64> {
        self.blocked.get(&process).copied()
    }

    fn blocks_ms(&self, process: usize) -> Option<f64> {
        self.blocks.get(&process).map(|(longest, _)| *longest)
    }

    fn blocks_tasks(&self, process: usize) -> Option<f64> {
        self.blocks.get(&process).map(|(_, tasks)| f64::from(*tasks))
    }
}

/// Links processes to their parents and control groups.
fn add_families(builder: &mut Builder, processes: &[Process], nodes: &[i32], groups: &BTreeMap<&str, i32>) {
    let by_pid: HashMap<u32, i32> =
        processes.iter().zip(nodes).map(|(process, node)| (process.identity.pid, *node)).collect();
    for (process, node) in processes.iter().zip(nodes) {
        if let Some(parent) = by_pid.get(&process.parent) {
            builder.edge(*node, *parent, "parent", Relation::OBSERVED);
        }
        if let Some(group) = process.about.cgroup.as_deref().and_then(|path| groups.get(path)) {
            builder.edge(*node, *group, "member-of", Relation::OBSERVED);
        }
    }
}

/// A node for each file that is written, shared, locked or waited for, linked to its openers.
fn add_files(builder: &mut Builder, sighting: &Sighting<'_>, nodes: &[i32]) -> BTreeMap<FileKey, i32> {
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
        let shown = locked.contains(key) || (file.regular && (*written || by.len() > 1));
        if !shown {
            continue;
        }
        let (major, minor) = key.device;
        let node = builder.node(Node {
            id: format!("f:{major}:{minor}:{}", key.inode),
            kind: "file".to_owned(),
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
            builder.edge(*process, node, "opens", Relation::OBSERVED);
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
            builder.edge(*process, *file, "holds-lock", relation);
        }
    }
    for wait in &locks.waits {
        let Some(waiter) = nodes.get(wait.process) else { continue };
        let blocked_ms = Some((wait.blocked.as_secs_f64() * 1000.0) as f32);
        if let Some(file) = files.get(&wait.file) {
            builder.edge(*waiter, *file, "waits-lock", Relation { blocked_ms, ..Relation::OBSERVED });
        }
        for holder in &wait.holders {
            let Some(process) = nodes.get(holder.process) else { continue };
            let relation = Relation { observed: holder.observed, blocked_ms, latency_ms: None };
            builder.edge(*waiter, *process, "waits-for", relation);
        }
    }
    for proof in &locks.proofs {
        let processes = proof.processes.iter().filter_map(|at| nodes.get(*at)).copied();
        builder.evidence(&proof.source, &proof.text, processes.chain(files.get(&proof.file).copied()));
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
            Tie::Connects => "connects",
            // The server depends on its endpoint as on a file that it has open.
            Tie::Opens => "opens",
        };
        let relation = Relation { observed: link.observed, blocked_ms: None, latency_ms: link.latency_ms };
        builder.edge(*source, *target, kind, relation);
    }
}

fn add_endpoint(builder: &mut Builder, endpoint: &Endpoint) -> i32 {
    let node = builder.node(Node {
        id: endpoint.id.clone(),
        kind: "endpoint".to_owned(),
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
        (Measure::Retransmits, endpoint.retransmits),
    ];
    for (measure, measured) in figures {
        if let Some(measured) = measured {
            builder.put(measure, node, measured);
        }
    }
    node
}
