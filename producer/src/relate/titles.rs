//! What processes say of themselves in their titles, where somebody waits: whose wait it is, and who keeps a transaction open.
//!
//! A database's locks are its own business, and the kernel shows them to nobody. But its processes write into their titles what they do.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hostread::{
    ProcRoot, ProcessKey, Seen,
    parse::{self, title::Title},
    process::OpenProcess,
};

use crate::{
    collect::{process::Process, process_cache::Abouts},
    relate::{connections::Network, stalls::Stall, waits},
};

/// The most titles that are read in one sweep.
const MOST: usize = 256;

/// A title, in the words that may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    /// Index of the process in the sweep.
    pub process: usize,
    /// Its program, its part in that, and what it does.
    pub text: String,
}

/// A wait that two titles tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Index of the process that says that it waits.
    pub waiter: usize,
    /// Index of the only one of its family that says that it is idle in a transaction.
    pub holder: usize,
    /// Since they were first seen to say so, or as long as the waiter has owed an answer.
    pub blocked: Duration,
}

/// What the titles of a sweep tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Those that say what they do.
    pub titles: Vec<Titled>,
    /// Who waits for whom.
    pub waits: Vec<Wait>,
}

/// What is remembered from sweep to sweep: the waits that went on.
#[derive(Debug, Default)]
pub struct Memory {
    since: HashMap<(ProcessKey, ProcessKey), Instant>,
}

impl Memory {
    /// Reads the titles of those that are `concerned`, and of their families: the other children of the same parent with the same
    /// executable.
    pub fn look(&mut self, scene: &Scene<'_>, abouts: &mut Abouts, buffer: &mut Vec<u8>) -> Picture {
        let titles = read(scene, abouts, buffer);
        let now = scene.root.tape.monotonic();
        let mut since = HashMap::new();
        let mut waits = Vec::new();
        for (waiter, holder) in pairs(scene.processes, &titles) {
            let identity = |at: usize| scene.processes.get(at).map(|process| process.key);
            let Some(key) = identity(waiter).zip(identity(holder)) else { continue };
            let began = self.since.get(&key).copied().unwrap_or(now);
            since.insert(key, began);
            let owing = Duration::from_secs_f64(scene.network.owing_ms(waiter) / 1000.0);
            waits.push(Wait { waiter, holder, blocked: now.duration_since(began).max(owing) });
        }
        self.since = since;
        Picture { titles, waits }
    }
}

/// What a look at the titles needs.
pub struct Scene<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// The sweep's processes.
    pub processes: &'s [Process],
    /// Those that wait, or that others wait for.
    pub concerned: &'s BTreeSet<usize>,
    /// Who owes an answer.
    pub network: &'s Network,
}

fn read(scene: &Scene<'_>, abouts: &mut Abouts, buffer: &mut Vec<u8>) -> Vec<Titled> {
    let Scene { root, processes, concerned, .. } = *scene;
    let family = |at: usize| processes.get(at).and_then(family);
    let families: BTreeSet<(u32, &str)> = concerned.iter().filter_map(|at| family(*at)).collect();
    if families.is_empty() {
        return Vec::new();
    }
    let members = (0..processes.len()).filter(|at| family(*at).is_some_and(|family| families.contains(&family)));
    let read = |at: usize| {
        let process = processes.get(at)?;
        let Seen::Here(directory) = OpenProcess::reopen(root, process.key, buffer) else { return None };
        let keep = |text: &[u8]| {
            let title = Title::of(&parse::process::arguments(text)).filter(|title| !title.activity.is_empty());
            title.map(|title| title.to_string()).unwrap_or_default().into_bytes()
        };
        let text = abouts.arguments(&directory, process.key, buffer, keep).here()?;
        (!text.is_empty()).then(|| Titled { process: at, text: parse::text(text) })
    };
    members.take(MOST).filter_map(read).collect()
}

fn family(process: &Process) -> Option<(u32, &str)> {
    Some((process.parent, process.about.executable.as_deref()?))
}

/// Waiter and holder, by what they say. Of several that are idle in a transaction it is not known which one is waited for.
fn pairs(processes: &[Process], titles: &[Titled]) -> Vec<(usize, usize)> {
    let mut idle = BTreeMap::<(u32, &str), Vec<usize>>::new();
    for titled in titles.iter().filter(|titled| titled.text.contains("idle in transaction")) {
        if let Some(family) = processes.get(titled.process).and_then(family) {
            idle.entry(family).or_default().push(titled.process);
        }
    }
    let wait = |titled: &Titled| {
        let family = processes.get(titled.process).and_then(family)?;
        match idle.get(&family)?.as_slice() {
            [holder] if *holder != titled.process => Some((titled.process, *holder)),
            _ => None,
        }
    };
    titles.iter().filter(|titled| titled.text.ends_with(" waiting")).filter_map(wait).collect()
}

/// The processes that wait, or that others wait for, long enough to be asked what they are doing.
pub fn concerned(locks: &waits::Picture, stalls: &[Stall], network: &Network) -> BTreeSet<usize> {
    const LONG: Duration = Duration::from_millis(900);
    let long_ms = LONG.as_secs_f64() * 1000.0;
    let waits = locks.waits.iter().filter(|wait| wait.blocked >= LONG);
    let of_locks = waits.flat_map(|wait| wait.holders.iter().map(|holder| holder.process).chain([wait.process]));
    // Who reads is a client that waits for others, who writes waits itself.
    let of_stalls = stalls.iter().filter(|stall| stall.blocked >= LONG).flat_map(|stall| match stall.writes {
        true => vec![stall.process],
        false => stall.others.clone(),
    });
    let late = network.standings.iter().filter(|(_, standing)| standing.owing_ms.max(standing.unread_ms) >= long_ms);
    of_locks.chain(of_stalls).chain(late.map(|(process, _)| *process)).collect()
}
