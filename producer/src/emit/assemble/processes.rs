//! Adds a node for each process, with its signals.

use std::collections::BTreeMap;

use hostread::{Seen, parse::syscall};
use schemas::{Node, NodeKind};
use signals::Signal;

use super::{MAX_PEERS, SweepFacts, unless_hidden};
use collector::{
    files::Handles,
    measure::{IntoMeasured, Measured, Reason},
    process::{Process, Since},
    rates::Rates,
};

use crate::{
    emit::builder::Builder,
    relate::{
        connections::ConnectionStats,
        futexes::ContendedFutex,
        lock_waits::{FileLocks, LockWait},
        stalls::{self, LongestStalls, MIN_STALL, Stall},
    },
};

/// Adds the nodes in the sweep's order and returns their indices.
pub fn add(builder: &mut Builder, facts: &SweepFacts<'_>) -> Vec<i32> {
    let mut blocks = WaitTotals::new(&facts.locks.waits, facts.stalls);
    for thaw_wait in &facts.filesystems.thaw_waits {
        blocks.blocked_for(thaw_wait.process, thaw_wait.blocked.as_secs_f64() * 1000.0);
    }
    for wait in &facts.titles.waits {
        let millis = wait.blocked.as_secs_f64() * 1000.0;
        blocks.blocked_for(wait.waiter, millis);
        blocks.add(wait.holder, millis);
    }
    let stalls = stalls::longest(facts.stalls);
    let mut nodes = Vec::with_capacity(facts.processes.len());
    for (at, (process, rates)) in facts.processes.iter().zip(facts.rates).enumerate() {
        let node = builder.node(node(process));
        nodes.push(node);
        if let Some(command) = &process.info.command {
            builder.evidence(&format!("/proc/{}/cmdline", process.key.pid), command, [node]);
        }
        put_rates(builder, node, rates, facts.page);
        put_figures(builder, node, process, facts.page);
        put_state(builder, node, process.state);
        if let Some(new_process_rates) = facts.new_process_rates.get(at) {
            builder.put(Signal::Forks, node, *new_process_rates);
        }
        builder.put(Signal::FilesystemGrowth, node, filled(process, facts.filesystems.filled_by(at)));
        let stall = stalls.get(&at).copied().unwrap_or_default();
        let coverage_of_tasks = coverage_of_tasks(process, facts.skipped_threads.contains_key(&at));
        put_waits(builder, node, process, facts.locks, &blocks.of_process(at), &stall, coverage_of_tasks);
        let connections = connection_figures(facts, at, process);
        put_connections(builder, node, connections);
        let futex = facts.contended_futexes.iter().find(|futex| futex.process == at);
        builder.put(Signal::FutexWaitMs, node, futex_wait_ms(coverage_of_tasks, connections, futex));
    }
    nodes
}

fn node(process: &Process) -> Node {
    let key = process.key;
    Node {
        id: format!("p:{}:{}", key.pid, key.start_time),
        kind: NodeKind::Process,
        role: process.info.role.clone(),
        name: process.info.comm.clone(),
        pid: Some(i64::from(key.pid)),
        start_time: i64::try_from(key.start_time).ok(),
        container: process.info.container.as_ref().map(|container| container.id.clone()),
        ..Node::default()
    }
}

fn put_rates(builder: &mut Builder, node: i32, rates: &Rates, page: f64) {
    let figures: [(Signal, Measured); 14] = [
        (Signal::CpuPct, rates.cpu_pct),
        (Signal::CpuSystemPct, rates.system_pct),
        (Signal::ChildrenCpuPct, rates.children_pct),
        (Signal::MemoryGrowth, rates.private_pages.map(|pages| pages * page)),
        (Signal::MinorFaults, rates.minor_faults),
        (Signal::ChildrenMinorFaults, rates.children_faults),
        (Signal::MajorFaults, rates.major_faults),
        (Signal::RunDelayPct, rates.run_delay_pct),
        (Signal::BlockDelayPct, rates.block_delay_pct),
        (Signal::Timeslices, rates.switches),
        (Signal::ReadBytes, rates.read_bytes),
        (Signal::WriteBytes, rates.write_bytes),
        (Signal::WriteCallBytes, rates.written),
        (Signal::FailedWrites, rates.failing_writes),
    ];
    for (signal, measured) in figures {
        builder.put(signal, node, measured);
    }
}

fn put_figures(builder: &mut Builder, node: i32, process: &Process, page: f64) {
    let sockets = complete_handles(process).map(|handles| handles.sockets().count() as f64);
    let fds = process.handles.as_ref().map(|handles| handles.total as f64).measured();
    let figures: [(Signal, Measured); 6] = [
        (Signal::MemoryRss, process.memory.measured().map(|memory| memory.resident as f64 * page)),
        (Signal::Threads, Ok(process.threads as f64)),
        (Signal::Fds, fds),
        (Signal::FdsPct, share_of_limit(fds, process.limits.open_files)),
        (Signal::Sockets, sockets),
        (Signal::OomScore, process.limits.oom_score.measured().map(|score| score as f64)),
    ];
    for (signal, measured) in figures {
        builder.put(signal, node, measured);
    }
}

/// The process's open files, if they are readable.
fn readable_handles(process: &Process) -> Result<&Handles, Reason> {
    process
        .handles
        .as_ref()
        .measured()
        .and_then(|handles| if handles.denied { Err(Reason::Denied) } else { Ok(handles) })
}

/// The process's open files, if all of them were read.
fn complete_handles(process: &Process) -> Result<&Handles, Reason> {
    let handles = readable_handles(process)?;
    if handles.left_out() > 0 { Err(Reason::Off) } else { Ok(handles) }
}

/// Growth of the process's files; known from the second sweep on.
fn filled(process: &Process, bytes: f64) -> Measured {
    readable_handles(process)?;
    if matches!(process.since, Since::Unknown) {
        return Err(Reason::FirstSweep);
    }
    at_least(bytes, complete_handles(process).map(drop))
}

/// Use of a limit in percent; 0 without a limit.
fn share_of_limit(used: Measured, limit: Seen<Option<u64>>) -> Measured {
    let used = used?;
    Ok(limit.measured()?.map_or(0.0, |limit| used / (limit as f64).max(1.0) * 100.0))
}

fn put_state(builder: &mut Builder, node: i32, state: u8) {
    // The case differs: `T` is stopped by a signal, `t` by a tracer.
    let flags = [
        (Signal::Running, b'R'),
        (Signal::DiskWait, b'D'),
        (Signal::Stopped, b'T'),
        (Signal::Traced, b't'),
        (Signal::Zombie, b'Z'),
    ];
    for (signal, letter) in flags {
        builder.put(signal, node, Ok(f64::from(u8::from(state == letter))));
    }
}

/// `Ok` if all tasks of a process were inspected, else the reason why not.
fn coverage_of_tasks(process: &Process, is_left_out: bool) -> Result<(), Reason> {
    process.syscall.measured()?;
    match (syscall::IS_SUPPORTED, is_left_out) {
        (false, _) => Err(Reason::Unsupported),
        (true, true) => Err(Reason::Off),
        (true, false) => Ok(()),
    }
}

/// What was found. Zero is certain only if everything was inspected: with `coverage`.
fn at_least(found: f64, coverage: Result<(), Reason>) -> Measured {
    if found > 0.0 { Ok(found) } else { coverage.map(|()| 0.0) }
}

fn put_waits(
    builder: &mut Builder,
    node: i32,
    process: &Process,
    locks: &FileLocks,
    blocks: &ProcessWaits,
    stalls: &LongestStalls,
    coverage_of_tasks: Result<(), Reason>,
) {
    let is_opaque = process.is_opaque();
    let figures: [(Signal, Measured); 5] = [
        (Signal::BlockedMs, unless_hidden(blocks.blocked_ms, is_opaque && locks.may_hide_waits)),
        (Signal::WriteWaitMs, at_least(stalls.write_ms, coverage_of_tasks)),
        (Signal::ReadWaitMs, at_least(stalls.read_ms, coverage_of_tasks)),
        (Signal::BlocksOthersMs, unless_hidden(blocks.blocks_ms, is_opaque && locks.may_hide_holders)),
        (Signal::BlocksOthersTasks, unless_hidden(blocks.blocks_tasks, is_opaque && locks.may_hide_holders)),
    ];
    for (signal, measured) in figures {
        builder.put(signal, node, measured);
    }
}

/// Connection figures of a process.
#[derive(Clone, Copy)]
struct ConnectionFigures {
    clients: Measured,
    response_wait_ms: Measured,
    pending_request_ms: Measured,
    unread_ms: Measured,
}

/// Connection figures of a process, as far as all its sockets were read. They are complete only
/// from `sock_diag`.
fn connection_figures(facts: &SweepFacts<'_>, at: usize, process: &Process) -> Result<ConnectionFigures, Reason> {
    readable_handles(process)?;
    let namespace = process.info.network.ok_or(Reason::Denied)?;
    if !facts.network.listed.contains(&namespace) {
        return Err(Reason::Unsupported);
    }
    let stats = facts.network.stats.get(&at).copied().unwrap_or_default();
    let ConnectionStats { clients, response_wait_ms, pending_request_ms, unread_ms } = stats;
    let coverage = complete_handles(process).map(drop);
    Ok(ConnectionFigures {
        clients: coverage.map(|()| clients as f64),
        response_wait_ms: at_least(response_wait_ms, coverage),
        pending_request_ms: at_least(pending_request_ms, coverage),
        unread_ms: at_least(unread_ms, coverage),
    })
}

/// How long threads have contended while a request was pending: the shorter of the two times.
fn futex_wait_ms(
    coverage_of_tasks: Result<(), Reason>,
    connections: Result<ConnectionFigures, Reason>,
    futex: Option<&ContendedFutex>,
) -> Measured {
    let stayed_ms = at_least(futex.map_or(0.0, |futex| futex.waited.as_secs_f64() * 1000.0), coverage_of_tasks)?;
    Ok(stayed_ms.min(connections?.pending_request_ms?))
}

fn put_connections(builder: &mut Builder, node: i32, connections: Result<ConnectionFigures, Reason>) {
    let figures: [(Signal, Measured); 4] = [
        (Signal::Connections, connections.and_then(|figures| figures.clients)),
        (Signal::ResponseWaitMs, connections.and_then(|figures| figures.response_wait_ms)),
        (Signal::RequestPendingMs, connections.and_then(|figures| figures.pending_request_ms)),
        (Signal::UnreadMs, connections.and_then(|figures| figures.unread_ms)),
    ];
    for (signal, measured) in figures {
        builder.put(signal, node, measured);
    }
}

/// How long each process waits and blocks others.
struct WaitTotals(BTreeMap<usize, ProcessWaits>);

#[derive(Clone, Copy, Debug, Default)]
struct ProcessWaits {
    blocked_ms: Option<f64>,
    blocks_ms: Option<f64>,
    blocks_tasks: Option<f64>,
}

impl WaitTotals {
    /// Totals of lock waits and stalled writes.
    fn new(waits: &[LockWait], stalls: &[Stall]) -> WaitTotals {
        let mut blocks = WaitTotals(BTreeMap::new());
        for wait in waits {
            let millis = wait.blocked.as_secs_f64() * 1000.0;
            blocks.blocked_for(wait.process, millis);
            for holder in wait.holders.iter().filter(|holder| holder.is_main) {
                blocks.add(holder.process, millis);
            }
        }
        for stall in
            stalls.iter().filter(|stall| stall.writes && stall.blocked >= MIN_STALL && stall.peers.len() <= MAX_PEERS)
        {
            for reader in &stall.peers {
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

    fn of_process(&self, process: usize) -> ProcessWaits {
        self.0.get(&process).copied().unwrap_or_default()
    }
}
