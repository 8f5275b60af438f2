//! What processes say of themselves in their titles, where somebody waits: whose wait it is, and who keeps a transaction open.
//!
//! A database's locks are its own business, and the kernel shows them to nobody. But its processes write into their titles what they do.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    abouts::Abouts,
    parse::{self, title::Title},
    process::{self, Process},
    read::{ProcRoot, Seen},
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
}

/// Reads the titles of those that are `concerned`, and of their families: the other children of the same parent with the same
/// executable.
pub fn look(
    root: &ProcRoot,
    processes: &[Process],
    concerned: &BTreeSet<usize>,
    abouts: &mut Abouts,
    buffer: &mut Vec<u8>,
) -> Vec<Titled> {
    let family = |at: usize| processes.get(at).and_then(family);
    let families: BTreeSet<(u32, &str)> = concerned.iter().filter_map(|at| family(*at)).collect();
    if families.is_empty() {
        return Vec::new();
    }
    let members = (0..processes.len()).filter(|at| family(*at).is_some_and(|family| families.contains(&family)));
    let read = |at: usize| {
        let process = processes.get(at)?;
        let Seen::Here(directory) = process::reopen(root, process.identity, buffer) else { return None };
        let keep = |text: &[u8]| {
            let title = Title::of(&parse::process::arguments(text)).filter(|title| !title.activity.is_empty());
            title.map(|title| title.to_string()).unwrap_or_default().into_bytes()
        };
        let text = abouts.arguments(&directory, process.identity, buffer, keep).here()?;
        (!text.is_empty()).then(|| Titled { process: at, text: parse::text(text) })
    };
    members.take(MOST).filter_map(read).collect()
}

fn family(process: &Process) -> Option<(u32, &str)> {
    Some((process.parent, process.about.executable.as_deref()?))
}

/// Who waits for whom by what they say. Of several that are idle in a transaction it is not known which one is waited for.
pub fn waits(processes: &[Process], titles: &[Titled]) -> Vec<Wait> {
    let mut idle = BTreeMap::<(u32, &str), Vec<usize>>::new();
    for titled in titles.iter().filter(|titled| titled.text.contains("idle in transaction")) {
        if let Some(family) = processes.get(titled.process).and_then(family) {
            idle.entry(family).or_default().push(titled.process);
        }
    }
    let wait = |titled: &Titled| {
        let family = processes.get(titled.process).and_then(family)?;
        match idle.get(&family)?.as_slice() {
            [holder] if *holder != titled.process => Some(Wait { waiter: titled.process, holder: *holder }),
            _ => None,
        }
    };
    titles.iter().filter(|titled| titled.text.ends_with(" waiting")).filter_map(wait).collect()
}
