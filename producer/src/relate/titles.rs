//! What processes say of themselves in their titles, where somebody waits: whose wait it is, and who keeps a transaction open.
//!
//! A database's locks are its own business, and the kernel shows them to nobody. But its processes write into their titles what they do.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hostread::{
    ProcRoot, ProcessKey, Seen,
    parse::{self, title::parse_title},
    process::OpenProcess,
};

use crate::{
    collect::{process::Process, process_cache::ProcessInfoCache},
    relate::{connections::Network, lock_waits, stalls::Stall},
};

/// The most titles that are read in one sweep.
const MAX_TITLES_PER_SWEEP: usize = 256;

/// A title, in the words that may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTitle {
    /// Index of the process in the sweep.
    pub process: usize,
    /// Its program, its part in that, and what it does.
    pub text: String,
}

/// A wait that two titles tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TitleWait {
    /// Index of the process that says that it waits.
    pub waiter: usize,
    /// Index of the only one of its family that says that it is idle in a transaction.
    pub holder: usize,
    /// Since they were first seen to say so, or as long as the waiter has owed an answer.
    pub blocked: Duration,
}

/// What the titles of a sweep tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titles {
    /// Those that say what they do.
    pub titles: Vec<ProcessTitle>,
    /// Who waits for whom.
    pub waits: Vec<TitleWait>,
}

/// What is remembered from sweep to sweep: the waits that went on.
#[derive(Debug, Default)]
pub struct History {
    since: HashMap<(ProcessKey, ProcessKey), Instant>,
}

impl History {
    /// Reads the titles of those that are `concerned`, and of their families: the other children of the same parent with the same
    /// executable.
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

/// What a look at the titles needs.
pub struct TitleInputs<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// Those that wait, or that others wait for.
    pub waiters_and_blockers: &'s BTreeSet<usize>,
    /// Who owes an answer.
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

/// Waiter and holder, by what they say. Of several that are idle in a transaction it is not known which one is waited for.
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

/// The processes that wait, or that others wait for, long enough to be asked what they are doing.
pub fn waiters_and_blockers(locks: &lock_waits::FileLocks, stalls: &[Stall], network: &Network) -> BTreeSet<usize> {
    const MIN_WAIT: Duration = Duration::from_millis(900);
    let long_ms = MIN_WAIT.as_secs_f64() * 1000.0;
    let waits = locks.waits.iter().filter(|wait| wait.blocked >= MIN_WAIT);
    let of_locks = waits.flat_map(|wait| wait.holders.iter().map(|holder| holder.process).chain([wait.process]));
    // Who reads is a client that waits for others, who writes waits itself.
    let of_stalls = stalls.iter().filter(|stall| stall.blocked >= MIN_WAIT).flat_map(|stall| match stall.writes {
        true => vec![stall.process],
        false => stall.peers.clone(),
    });
    let late = network.stats.iter().filter(|(_, stats)| stats.pending_request_ms.max(stats.unread_ms) >= long_ms);
    of_locks.chain(of_stalls).chain(late.map(|(process, _)| *process)).collect()
}
