//! Adds a node for each process, with its signals.

use std::collections::BTreeMap;

use hostread::{Seen, parse::syscall};
use schemas::{Node, NodeKind};
use signals::Signal;

use super::{MAX_PEERS, SweepFacts, unless_hidden};
use crate::{
    collect::{
        files::Handles,
        measure::{IntoMeasured, Measured, Reason},
        process::{Process, Since},
        rates::Rates,
    },
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
        let stats = connection_stats(facts, at, process);
        put_connections(builder, node, stats);
        let futex = facts.contended_futexes.iter().find(|futex| futex.process == at);
        builder.put(Signal::FutexWaitMs, node, futex_wait_ms(coverage_of_tasks, stats, futex));
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
    let sockets = readable_handles(process).and_then(|handles| match handles.left_out() {
        0 => Ok(handles.sockets().count() as f64),
        _ => Err(Reason::Off),
    });
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

/// Growth of the process's files; known from the second sweep on.
fn filled(process: &Process, bytes: f64) -> Measured {
    readable_handles(process)?;
    if matches!(process.since, Since::Unknown) { Err(Reason::FirstSweep) } else { Ok(bytes) }
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

/// The longest wait found. Zero is certain only if all tasks were inspected.
fn longest(found_ms: f64, coverage_of_tasks: Result<(), Reason>) -> Measured {
    if found_ms > 0.0 { Ok(found_ms) } else { coverage_of_tasks.map(|()| 0.0) }
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
        (Signal::WriteWaitMs, longest(stalls.write_ms, coverage_of_tasks)),
        (Signal::ReadWaitMs, longest(stalls.read_ms, coverage_of_tasks)),
        (Signal::BlocksOthersMs, unless_hidden(blocks.blocks_ms, is_opaque && locks.may_hide_holders)),
        (Signal::BlocksOthersTasks, unless_hidden(blocks.blocks_tasks, is_opaque && locks.may_hide_holders)),
    ];
    for (signal, measured) in figures {
        builder.put(signal, node, measured);
    }
}

/// Connection figures of a process. They are complete only from `sock_diag`.
fn connection_stats(facts: &SweepFacts<'_>, at: usize, process: &Process) -> Result<ConnectionStats, Reason> {
    match (process.info.network, &process.handles) {
        (_, Seen::Denied) | (None, _) => Err(Reason::Denied),
        (_, Seen::Here(handles)) if handles.denied => Err(Reason::Denied),
        (Some(namespace), _) if facts.network.listed.contains(&namespace) => {
            Ok(facts.network.stats.get(&at).copied().unwrap_or_default())
        }
        _ => Err(Reason::Unsupported),
    }
}

/// How long threads have contended while a request was pending: the shorter of the two times.
fn futex_wait_ms(
    coverage_of_tasks: Result<(), Reason>,
    stats: Result<ConnectionStats, Reason>,
    futex: Option<&ContendedFutex>,
) -> Measured {
    let stayed_ms = longest(futex.map_or(0.0, |futex| futex.waited.as_secs_f64() * 1000.0), coverage_of_tasks)?;
    Ok(stayed_ms.min(stats?.pending_request_ms))
}

fn put_connections(builder: &mut Builder, node: i32, stats: Result<ConnectionStats, Reason>) {
    let figures: [(Signal, Measured); 4] = [
        (Signal::Connections, stats.map(|stats| stats.clients as f64)),
        (Signal::ResponseWaitMs, stats.map(|stats| stats.response_wait_ms)),
        (Signal::RequestPendingMs, stats.map(|stats| stats.pending_request_ms)),
        (Signal::UnreadMs, stats.map(|stats| stats.unread_ms)),
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
