//! A node for each process, and what is measured of it.

use std::collections::BTreeMap;

use hostread::{Seen, parse::syscall};
use schemas::{Node, NodeKind};

use super::{MOST_OTHERS, Sighting, unless_hidden};
use crate::{
    collect::{
        files::Handles,
        measure::{IntoMeasured, Measure, Measured, Reason},
        process::{Process, Since},
        rates::Rates,
    },
    emit::builder::Builder,
    relate::{
        connections::Standing,
        futexes::Crowd,
        stalls::{self, Longest, MIN_STALL, Stall},
        waits::{Picture, Wait},
    },
};

/// Adds the nodes, in the sweep's order; returns their indices.
pub fn add(builder: &mut Builder, sighting: &Sighting<'_>) -> Vec<i32> {
    let mut blocks = Blocks::of(&sighting.locks.waits, sighting.stalls);
    for stuck in &sighting.filesystems.stuck {
        blocks.blocked_for(stuck.process, stuck.blocked.as_secs_f64() * 1000.0);
    }
    for wait in &sighting.titles.waits {
        let millis = wait.blocked.as_secs_f64() * 1000.0;
        blocks.blocked_for(wait.waiter, millis);
        blocks.add(wait.holder, millis);
    }
    let stalls = stalls::longest(sighting.stalls);
    let mut nodes = Vec::with_capacity(sighting.processes.len());
    for (at, (process, rates)) in sighting.processes.iter().zip(sighting.rates).enumerate() {
        let node = builder.node(node(process));
        nodes.push(node);
        if let Some(command) = &process.about.command {
            builder.evidence(&format!("/proc/{}/cmdline", process.key.pid), command, [node]);
        }
        put_rates(builder, node, rates, sighting.page);
        put_figures(builder, node, process, sighting.page);
        put_state(builder, node, process.state);
        if let Some(forks) = sighting.forks.get(at) {
            builder.put(Measure::Forks, node, *forks);
        }
        builder.put(Measure::Filled, node, filled(process, sighting.filesystems.filled_by(at)));
        let stall = stalls.get(&at).copied().unwrap_or_default();
        let looked = looked(process, sighting.unlooked.contains_key(&at));
        put_waits(builder, node, process, sighting.locks, &blocks.of_process(at), &stall, looked);
        let standing = standing(sighting, at, process);
        put_connections(builder, node, standing);
        let crowd = sighting.crowds.iter().find(|crowd| crowd.process == at);
        builder.put(Measure::FutexWaitMs, node, futex_wait_ms(looked, standing, crowd));
    }
    nodes
}

fn node(process: &Process) -> Node {
    let key = process.key;
    Node {
        id: format!("p:{}:{}", key.pid, key.start_time),
        kind: NodeKind::Process,
        role: process.about.role.clone(),
        name: process.about.comm.clone(),
        pid: Some(i64::from(key.pid)),
        start_time: i64::try_from(key.start_time).ok(),
        container: process.about.container.as_ref().map(|container| container.id.clone()),
        ..Node::default()
    }
}

fn put_rates(builder: &mut Builder, node: i32, rates: &Rates, page: f64) {
    let figures: [(Measure, Measured); 14] = [
        (Measure::CpuPct, rates.cpu_pct),
        (Measure::CpuSystemPct, rates.system_pct),
        (Measure::ChildrenCpuPct, rates.children_pct),
        (Measure::MemoryGrowth, rates.private_pages.map(|pages| pages * page)),
        (Measure::MinorFaults, rates.minor_faults),
        (Measure::ChildrenFaults, rates.children_faults),
        (Measure::MajorFaults, rates.major_faults),
        (Measure::RunDelayPct, rates.run_delay_pct),
        (Measure::BlockDelayPct, rates.block_delay_pct),
        (Measure::Switches, rates.switches),
        (Measure::ReadBytes, rates.read_bytes),
        (Measure::WriteBytes, rates.write_bytes),
        (Measure::Written, rates.written),
        (Measure::FailingWrites, rates.failing_writes),
    ];
    for (measure, measured) in figures {
        builder.put(measure, node, measured);
    }
}

fn put_figures(builder: &mut Builder, node: i32, process: &Process, page: f64) {
    let sockets = of_handles(process).map(|handles| handles.sockets().count() as f64);
    let fds = process.handles.as_ref().map(|handles| handles.numbers.len() as f64).measured();
    let figures: [(Measure, Measured); 6] = [
        (Measure::MemoryRss, process.memory.measured().map(|memory| memory.resident as f64 * page)),
        (Measure::Threads, Ok(process.threads as f64)),
        (Measure::Fds, fds),
        (Measure::FdsPct, part_of(fds, process.limits.open_files)),
        (Measure::Sockets, sockets),
        (Measure::OomScore, process.limits.oom_score.measured().map(|score| score as f64)),
    ];
    for (measure, measured) in figures {
        builder.put(measure, node, measured);
    }
}

/// What its descriptors stand for, if that may be known.
fn of_handles(process: &Process) -> Result<&Handles, Reason> {
    process
        .handles
        .as_ref()
        .measured()
        .and_then(|handles| if handles.denied { Err(Reason::Denied) } else { Ok(handles) })
}

/// By how much its files have grown is known from the second look on.
fn filled(process: &Process, bytes: f64) -> Measured {
    of_handles(process)?;
    if matches!(process.since, Since::Unknown) { Err(Reason::FirstSweep) } else { Ok(bytes) }
}

/// In percent of a limit; nothing is much of what has none.
fn part_of(used: Measured, limit: Seen<Option<u64>>) -> Measured {
    let used = used?;
    Ok(limit.measured()?.map_or(0.0, |limit| used / (limit as f64).max(1.0) * 100.0))
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

/// Whether all of a process's tasks have been looked at; else why not.
fn looked(process: &Process, is_left_out: bool) -> Result<(), Reason> {
    process.syscall.measured()?;
    match (syscall::IS_KNOWN, is_left_out) {
        (false, _) => Err(Reason::Unsupported),
        (true, true) => Err(Reason::Off),
        (true, false) => Ok(()),
    }
}

/// The longest wait that was found; that there is none is known only where all have been looked at.
fn longest(found_ms: f64, looked: Result<(), Reason>) -> Measured {
    if found_ms > 0.0 { Ok(found_ms) } else { looked.map(|()| 0.0) }
}

fn put_waits(
    builder: &mut Builder,
    node: i32,
    process: &Process,
    locks: &Picture,
    blocks: &Blocked,
    stalls: &Longest,
    looked: Result<(), Reason>,
) {
    let is_closed = process.is_closed();
    let figures: [(Measure, Measured); 5] = [
        (Measure::BlockedMs, unless_hidden(blocks.blocked_ms, is_closed && locks.may_hide_waits)),
        (Measure::WriteWaitMs, longest(stalls.write_ms, looked)),
        (Measure::ReadWaitMs, longest(stalls.read_ms, looked)),
        (Measure::BlocksMs, unless_hidden(blocks.blocks_ms, is_closed && locks.may_hide_holders)),
        (Measure::BlocksTasks, unless_hidden(blocks.blocks_tasks, is_closed && locks.may_hide_holders)),
    ];
    for (measure, measured) in figures {
        builder.put(measure, node, measured);
    }
}

/// What the connections of a process say of it; only the kernel's listing tells it all.
fn standing(sighting: &Sighting<'_>, at: usize, process: &Process) -> Result<Standing, Reason> {
    match (process.about.network, &process.handles) {
        (_, Seen::Denied) | (None, _) => Err(Reason::Denied),
        (_, Seen::Here(handles)) if handles.denied => Err(Reason::Denied),
        (Some(namespace), _) if sighting.network.listed.contains(&namespace) => {
            Ok(sighting.network.standings.get(&at).copied().unwrap_or_default())
        }
        _ => Err(Reason::Unsupported),
    }
}

/// How long threads have waited for one another while an answer was owed: not longer than either.
fn futex_wait_ms(looked: Result<(), Reason>, standing: Result<Standing, Reason>, crowd: Option<&Crowd>) -> Measured {
    let stayed_ms = longest(crowd.map_or(0.0, |crowd| crowd.stayed.as_secs_f64() * 1000.0), looked)?;
    Ok(stayed_ms.min(standing?.owing_ms))
}

fn put_connections(builder: &mut Builder, node: i32, standing: Result<Standing, Reason>) {
    let figures: [(Measure, Measured); 4] = [
        (Measure::Connections, standing.map(|standing| standing.clients as f64)),
        (Measure::AnswerWaitMs, standing.map(|standing| standing.answer_wait_ms)),
        (Measure::OwingMs, standing.map(|standing| standing.owing_ms)),
        (Measure::UnreadMs, standing.map(|standing| standing.unread_ms)),
    ];
    for (measure, measured) in figures {
        builder.put(measure, node, measured);
    }
}

/// What waits mean for each process.
struct Blocks(BTreeMap<usize, Blocked>);

#[derive(Clone, Copy, Debug, Default)]
struct Blocked {
    blocked_ms: Option<f64>,
    blocks_ms: Option<f64>,
    blocks_tasks: Option<f64>,
}

impl Blocks {
    /// Of waits for locks, and of writes that nobody reads.
    fn of(waits: &[Wait], stalls: &[Stall]) -> Blocks {
        let mut blocks = Blocks(BTreeMap::new());
        for wait in waits {
            let millis = wait.blocked.as_secs_f64() * 1000.0;
            blocks.blocked_for(wait.process, millis);
            for holder in wait.holders.iter().filter(|holder| holder.main) {
                blocks.add(holder.process, millis);
            }
        }
        for stall in stalls
            .iter()
            .filter(|stall| stall.writes && stall.blocked >= MIN_STALL && stall.others.len() <= MOST_OTHERS)
        {
            for reader in &stall.others {
                blocks.add(*reader, stall.blocked.as_secs_f64() * 1000.0);
            }
        }
        blocks
    }

    fn blocked_for(&mut self, process: usize, millis: f64) {
        let waiter = self.0.entry(process).or_default();
        waiter.blocked_ms = Some(waiter.blocked_ms.unwrap_or(0.0).max(millis));
    }

    fn add(&mut self, process: usize, millis: f64) {
        let blocker = self.0.entry(process).or_default();
        blocker.blocks_ms = Some(blocker.blocks_ms.unwrap_or(0.0).max(millis));
        blocker.blocks_tasks = Some(blocker.blocks_tasks.unwrap_or(0.0) + 1.0);
    }

    fn of_process(&self, process: usize) -> Blocked {
        self.0.get(&process).copied().unwrap_or_default()
    }
}
