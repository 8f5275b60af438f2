//! Reads the titles that processes set for themselves, to find waits inside a database.
//!
//! The kernel does not see a database's own locks, but PostgreSQL's processes write into their
//! titles what they do: `waiting`, `idle in transaction`. Titles are read only where a wait has
//! been found by other means.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hostread::{
    ProcRoot, ProcessKey, Seen,
    parse::{self, title::parse_title},
    process::OpenProcess,
};

use collector::{process::Process, process_cache::ProcessInfoCache};

use crate::relate::{connections::Network, lock_waits, stalls::Stall};

/// Maximum number of titles read in one sweep.
const MAX_TITLES_PER_SWEEP: usize = 256;

/// A title, reduced to words from fixed lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTitle {
    /// Index of the process in the sweep.
    pub process: usize,
    /// Program, component of that program, and its activity.
    pub text: String,
}

/// A wait that two titles show together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TitleWait {
    /// Index of the process whose title says that it waits.
    pub waiter: usize,
    /// Index of the only process of its family whose title says that it is idle in a transaction.
    pub holder: usize,
    /// Time since both titles were first seen so, or the age of the waiter's oldest pending request
    /// if that is longer.
    pub blocked: Duration,
}

/// Titles of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titles {
    /// Titles that state an activity.
    pub titles: Vec<ProcessTitle>,
    /// Waits between the processes with these titles.
    pub waits: Vec<TitleWait>,
}

/// State kept between sweeps: ongoing waits.
#[derive(Debug, Default)]
pub struct History {
    since: HashMap<(ProcessKey, ProcessKey), Instant>,
}

impl History {
    /// Reads the titles of waiters and blockers, and of their families: children of the same parent
    /// with the same executable.
    pub fn read(
        &mut self,
        inputs: &TitleInputs<'_>,
        info_cache: &mut ProcessInfoCache,
        buffer: &mut Vec<u8>,
    ) -> Titles {
        let titles = read(inputs, info_cache, buffer);
        let now = inputs.root.tape.monotonic_clock();
        let mut since = HashMap::new();
        let mut waits = Vec::new();
        for (waiter, holder) in waiting_pairs(inputs.processes, &titles) {
            let identity = |at: usize| inputs.processes.get(at).map(|process| process.key);
            let Some(key) = identity(waiter).zip(identity(holder)) else { continue };
            let began = self.since.get(&key).copied().unwrap_or(now);
            since.insert(key, began);
            let owing = Duration::from_secs_f64(inputs.network.pending_request_ms(waiter) / 1000.0);
            waits.push(TitleWait { waiter, holder, blocked: now.duration_since(began).max(owing) });
        }
        self.since = since;
        Titles { titles, waits }
    }
}

/// Inputs for reading titles.
pub struct TitleInputs<'s> {
    /// The `/proc` to read from.
    pub root: &'s ProcRoot,
    /// Processes of the sweep.
    pub processes: &'s [Process],
    /// Indices of processes that wait or block others.
    pub waiters_and_blockers: &'s BTreeSet<usize>,
    /// Pending requests of each process.
    pub network: &'s Network,
}

fn read(inputs: &TitleInputs<'_>, info_cache: &mut ProcessInfoCache, buffer: &mut Vec<u8>) -> Vec<ProcessTitle> {
    let TitleInputs { root, processes, waiters_and_blockers, .. } = *inputs;
    let family = |at: usize| processes.get(at).and_then(family);
    let families: BTreeSet<(u32, &str)> = waiters_and_blockers.iter().filter_map(|at| family(*at)).collect();
    if families.is_empty() {
        return Vec::new();
    }
    let members = (0..processes.len()).filter(|at| family(*at).is_some_and(|family| families.contains(&family)));
    let read = |at: usize| {
        let process = processes.get(at)?;
        let Seen::Here(directory) = OpenProcess::reopen(root, process.key, buffer) else { return None };
        let keep = |text: &[u8]| {
            let title = parse_title(&parse::process::parse_arguments(text)).filter(|title| !title.activity.is_empty());
            title.map(|title| title.to_string()).unwrap_or_default().into_bytes()
        };
        let text = info_cache.arguments(&directory, process.key, buffer, keep).here()?;
        (!text.is_empty()).then(|| ProcessTitle { process: at, text: parse::text(text) })
    };
    members.take(MAX_TITLES_PER_SWEEP).filter_map(read).collect()
}

fn family(process: &Process) -> Option<(u32, &str)> {
    Some((process.parent, process.info.executable.as_deref()?))
}

/// Pairs of waiter and holder according to their titles. With several processes idle in a
/// transaction the holder is ambiguous, so there is no pair.
fn waiting_pairs(processes: &[Process], titles: &[ProcessTitle]) -> Vec<(usize, usize)> {
    let mut idle = BTreeMap::<(u32, &str), Vec<usize>>::new();
    for title in titles.iter().filter(|title| title.text.contains("idle in transaction")) {
        if let Some(family) = processes.get(title.process).and_then(family) {
            idle.entry(family).or_default().push(title.process);
        }
    }
    let wait = |title: &ProcessTitle| {
        let family = processes.get(title.process).and_then(family)?;
        match idle.get(&family)?.as_slice() {
            [holder] if *holder != title.process => Some((title.process, *holder)),
            _ => None,
        }
    };
    titles.iter().filter(|title| title.text.ends_with(" waiting")).filter_map(wait).collect()
}

/// Processes that have waited, or blocked others, long enough for their titles to be read.
pub fn waiters_and_blockers(locks: &lock_waits::FileLocks, stalls: &[Stall], network: &Network) -> BTreeSet<usize> {
    const MIN_WAIT: Duration = Duration::from_millis(900);
    let long_ms = MIN_WAIT.as_secs_f64() * 1000.0;
    let waits = locks.waits.iter().filter(|wait| wait.blocked >= MIN_WAIT);
    let of_locks = waits.flat_map(|wait| wait.holders.iter().map(|holder| holder.process).chain([wait.process]));
    // A stalled reader is a client that waits for its peers; a stalled writer is itself the waiter.
    let of_stalls = stalls.iter().filter(|stall| stall.blocked >= MIN_WAIT).flat_map(|stall| match stall.writes {
        true => vec![stall.process],
        false => stall.peers.clone(),
    });
    let late = network.stats.iter().filter(|(_, stats)| stats.pending_request_ms.max(stats.unread_ms) >= long_ms);
    of_locks.chain(of_stalls).chain(late.map(|(process, _)| *process)).collect()
}
