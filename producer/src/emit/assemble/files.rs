//! Adds a node for each file that matters.

use std::collections::{BTreeMap, BTreeSet};

use hostread::Seen;
use schemas::{EdgeKind, Node, NodeKind};
use signals::Signal;

use super::{SweepFacts, unless_hidden};
use collector::{
    files::{File, FileKey},
    process::Process,
    role,
};

use crate::emit::builder::{Builder, Relation};

/// Why a file has a node, the most important reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Importance {
    WaitedFor,
    Locked,
    SharedOrOnAbnormalFilesystem,
    Written,
}

/// The processes that have a file open, as indices into the sweep, and whether one may write to it.
#[derive(Default)]
struct OpenBy {
    processes: BTreeSet<usize>,
    is_written: bool,
}

/// A file that may get a node.
struct Candidate<'s> {
    key: FileKey,
    file: &'s File,
    open_by: OpenBy,
    abnormal_filesystem: Option<i32>,
    importance: Importance,
}

/// Nodes by file, and how many files have none because there are too many.
pub struct AddedFiles {
    /// Node of each file.
    pub nodes: BTreeMap<FileKey, i32>,
    /// Number of files that are left out.
    pub left_out: usize,
}

/// Adds a node for each file that is written, shared, locked, waited for, or on a full or frozen
/// filesystem, and links it to the processes that have it open. At most `max_files` are added
/// beside those that are waited for.
pub fn add(
    builder: &mut Builder,
    facts: &SweepFacts<'_>,
    nodes: &[i32],
    filesystems: &BTreeMap<(u32, u32), i32>,
    max_files: u64,
) -> AddedFiles {
    let (chosen, left_out) = choose(candidates(facts, filesystems), max_files);
    let nodes = chosen.iter().map(|candidate| (candidate.key, add_one(builder, facts, nodes, candidate))).collect();
    AddedFiles { nodes, left_out }
}

fn candidates<'s>(facts: &SweepFacts<'s>, filesystems: &BTreeMap<(u32, u32), i32>) -> Vec<Candidate<'s>> {
    let locked: BTreeSet<FileKey> = facts.locks.held.iter().map(|held| held.file).collect();
    let waited_for: BTreeSet<FileKey> = facts.locks.waits.iter().map(|wait| wait.file).collect();
    let mut candidates = Vec::new();
    for (key, open_by) in open_files(facts.processes) {
        let Some(file) = facts.files.get(&key) else { continue };
        let device = facts.filesystems.full_or_frozen_device(&key);
        let abnormal_filesystem = device.and_then(|device| filesystems.get(&device)).copied();
        let importance = if waited_for.contains(&key) {
            Importance::WaitedFor
        } else if locked.contains(&key) {
            Importance::Locked
        } else if file.regular && (open_by.processes.len() > 1 || abnormal_filesystem.is_some()) {
            Importance::SharedOrOnAbnormalFilesystem
        } else if file.regular && open_by.is_written {
            Importance::Written
        } else {
            continue;
        };
        candidates.push(Candidate { key, file, open_by, abnormal_filesystem, importance });
    }
    candidates
}

fn open_files(processes: &[Process]) -> BTreeMap<FileKey, OpenBy> {
    let mut files = BTreeMap::<FileKey, OpenBy>::new();
    for (at, process) in processes.iter().enumerate() {
        let Seen::Here(handles) = &process.handles else { continue };
        for (_, file, writes) in handles.files() {
            let open_by = files.entry(file).or_default();
            open_by.processes.insert(at);
            open_by.is_written |= writes;
        }
    }
    files
}

/// Chooses the most important files, and among equally important ones the same number of each
/// process. Returns them ordered by key, and how many are left out.
fn choose(candidates: Vec<Candidate<'_>>, max_files: u64) -> (Vec<Candidate<'_>>, usize) {
    let mut counts = BTreeMap::<(Importance, Option<usize>), usize>::new();
    let mut ranked: Vec<(usize, Candidate<'_>)> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let owner = candidate.open_by.processes.first().copied();
        let count = counts.entry((candidate.importance, owner)).or_default();
        *count += 1;
        ranked.push((*count, candidate));
    }
    ranked.sort_by_key(|(count, candidate)| (candidate.importance, *count, candidate.key));
    let is_waited_for = |candidate: &Candidate<'_>| candidate.importance == Importance::WaitedFor;
    let n_waited_for = ranked.iter().filter(|(_, candidate)| is_waited_for(candidate)).count();
    let max_files = usize::try_from(max_files).unwrap_or(usize::MAX).saturating_add(n_waited_for);
    let left_out = ranked.len().saturating_sub(max_files);
    ranked.truncate(max_files);
    let mut chosen: Vec<Candidate<'_>> = ranked.into_iter().map(|(_, candidate)| candidate).collect();
    chosen.sort_by_key(|candidate| candidate.key);
    (chosen, left_out)
}

fn add_one(builder: &mut Builder, facts: &SweepFacts<'_>, nodes: &[i32], candidate: &Candidate<'_>) -> i32 {
    let Candidate { key, file, open_by, abnormal_filesystem, .. } = candidate;
    let (major, minor) = key.device;
    let node = builder.node(Node {
        id: format!("f:{major}:{minor}:{}", key.inode),
        kind: NodeKind::File,
        role: role::file_role(&file.path),
        name: file.path.clone(),
        path: Some(file.path.clone()),
        ..Node::default()
    });
    builder.put(Signal::OpenBy, node, Ok(open_by.processes.len() as f64));
    let waits = || facts.locks.waits.iter().filter(|wait| wait.file == *key);
    let longest = waits().map(|wait| wait.blocked.as_secs_f64() * 1000.0).reduce(f64::max);
    let count = longest.map(|_| waits().count() as f64);
    let may_hide = facts.locks.may_hide_waits;
    builder.put(Signal::LockWaiters, node, unless_hidden(count, may_hide));
    builder.put(Signal::LockWaitMs, node, unless_hidden(longest, may_hide));
    for process in open_by.processes.iter().filter_map(|at| nodes.get(*at)) {
        builder.edge(*process, node, EdgeKind::Opens, Relation::OBSERVED);
    }
    if let Some(filesystem) = abnormal_filesystem {
        builder.edge(node, *filesystem, EdgeKind::MemberOf, Relation::OBSERVED);
    }
    node
}
