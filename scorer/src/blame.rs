//! From the one who suffers to the one who started it.
//!
//! Anomaly is not cause: victims shout loudest. From each alarming node blame walks along what the node waits for (the holder of a
//! lock, a peer that has failed too, the consumer of a resource that it lacks) until nobody further is found.

use std::collections::{BTreeMap, HashSet};

use schemas::Edge;

use crate::score::Judged;

/// One trouble in one sweep: its root and who suffers from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Index of the node that started it, or of the place where the walk ended without an answer.
    pub root: usize,
    /// Whether the walk ended at someone who can have done it; a lock whose holder cannot be seen has none.
    pub is_known: bool,
    /// What is wrong with the root: a column's name, or [`HOLDS_LOCK`].
    pub trouble: String,
    /// The file whose lock the root holds.
    pub locked_file: Option<usize>,
    /// The highest score among the root and its victims.
    pub score: f32,
    /// Who suffers from it, the worst first.
    pub victims: Vec<usize>,
    /// The nodes beyond the threshold that led here.
    pub alarming: Vec<usize>,
    /// Whether every step of the walks was observed and none inferred.
    pub is_observed: bool,
}

/// The trouble of one who holds a lock that others wait for.
pub const HOLDS_LOCK: &str = "holds-lock";

/// What a process lacks, and what the one uses who took it.
const CONTENTION: [(&str, &[&str]); 3] = [
    ("run_delay_pct", &["cpu_pct"]),
    ("major_faults", &["memory_growth", "memory_rss"]),
    ("disk_wait", &["write_bytes", "read_bytes"]),
];

/// Lacks that are nobody's own trouble: without one who took the resource there is nobody to name.
const ONLY_SUFFERED: [&str; 2] = ["run_delay_pct", "major_faults"];

/// One who takes a resource from others is blamed from this score on, below the alarm threshold: that others starve speaks too.
const TAKES_FROM_OTHERS: f32 = 0.5;

/// The troubles of nodes that wait or are waited for at a lock.
const WAITING: [&str; 7] =
    ["blocked_ms", "blocks_ms", "blocks_tasks", "lock_wait_ms", "lock_waiters", "has_blocked", "blocked_duration"];

/// Relations along which a failure does not travel from the one depended on.
const NOT_BLAMED: [&str; 6] = ["parent", "opens", "member-of", "holds-lock", "waits-lock", "waits-for"];

/// Groups the alarming nodes of a sweep by the root that each one's walk ends at, the worst case first.
pub fn cases(judged: &Judged) -> Vec<Case> {
    let mut by_root: BTreeMap<usize, Case> = BTreeMap::new();
    for node in (0..judged.graph.nodes().len()).filter(|&node| judged.alarms(node)) {
        let walk = walk(judged, node);
        if walk.end == node && judged.trouble(node).is_some_and(|trouble| ONLY_SUFFERED.contains(&trouble)) {
            continue;
        }
        let case = by_root.entry(walk.end).or_insert_with(|| Case::new(judged, &walk));
        case.add(judged, node, &walk);
    }
    let mut cases = merge_alike(judged, by_root.into_values().collect());
    for case in &mut cases {
        case.finish(judged);
    }
    cases.sort_by(|a, b| b.score.total_cmp(&a.score));
    cases
}

struct Walk {
    end: usize,
    is_known: bool,
    is_observed: bool,
    file: Option<usize>,
}

/// One step of a walk.
enum Step {
    /// Blame goes on to this node.
    To { node: usize, file: Option<usize>, is_observed: bool },
    /// It is due to someone who cannot be seen; this file is all that is known.
    Unknown { file: usize },
    /// It ends here.
    End,
}

fn walk(judged: &Judged, from: usize) -> Walk {
    let mut walk = Walk { end: from, is_known: true, is_observed: true, file: None };
    let mut seen = HashSet::from([from]);
    loop {
        match step(judged, walk.end) {
            Step::To { node, file, is_observed } if seen.insert(node) => {
                walk.end = node;
                walk.file = file.or(walk.file);
                walk.is_observed &= is_observed;
            }
            Step::Unknown { file } => {
                return Walk { end: file, is_known: false, is_observed: walk.is_observed, file: Some(file) };
            }
            // In a ring of waiters nobody is further on than the one where it closes.
            Step::To { .. } | Step::End => return walk,
        }
    }
}

fn step(judged: &Judged, node: usize) -> Step {
    let trouble = judged.trouble(node).unwrap_or_default();
    let is_waiting = !judged.alarms(node) || WAITING.contains(&trouble);
    if is_waiting && let Some(step) = step_to_holder(judged, node) {
        return step;
    }
    if let Some(step) = step_to_consumer(judged, node, trouble) {
        return step;
    }
    step_to_failed_dependency(judged, node).unwrap_or(Step::End)
}

fn step_to_holder(judged: &Judged, node: usize) -> Option<Step> {
    if judged.graph.nodes()[node].kind == "file" {
        return judged.alarms(node).then(|| holder_of(judged, node).unwrap_or(Step::End));
    }
    let longest = |kind: &str| {
        let waits = judged.graph.dependencies(node).filter(|(edge, _)| edge.kind == kind && edge.blocked_ms.is_some());
        waits.max_by(|(a, _), (b, _)| wait_order(a).total_cmp(&wait_order(b)))
    };
    let file = longest("waits-lock").map(|(_, file)| file);
    if let Some((edge, holder)) = longest("waits-for") {
        return Some(Step::To { node: holder, file, is_observed: edge.basis == "observed" });
    }
    let file = file?;
    Some(holder_of(judged, file).unwrap_or(Step::Unknown { file }))
}

/// A longer wait first, and what was observed before what was inferred.
fn wait_order(edge: &Edge) -> f32 {
    edge.blocked_ms.unwrap_or(0.0) + if edge.basis == "observed" { 0.5 } else { 0.0 }
}

fn holder_of(judged: &Judged, file: usize) -> Option<Step> {
    let holds = |(edge, _): &(&Edge, usize)| edge.kind == "holds-lock";
    let (edge, holder) = judged.graph.dependants(file).find(holds)?;
    Some(Step::To { node: holder, file: Some(file), is_observed: edge.basis == "observed" })
}

/// Who starves for a resource blames the one that uses much more of it than is normal.
fn step_to_consumer(judged: &Judged, node: usize, trouble: &str) -> Option<Step> {
    let (_, consumed) = CONTENTION.iter().find(|(lacked, _)| *lacked == trouble)?;
    let consumer = (0..judged.graph.nodes().len())
        .filter(|&other| other != node && judged.scores[other].score > TAKES_FROM_OTHERS)
        .filter(|&other| judged.trouble(other).is_some_and(|trouble| consumed.contains(&trouble)))
        .max_by(|&a, &b| judged.scores[a].score.total_cmp(&judged.scores[b].score))?;
    Some(Step::To { node: consumer, file: None, is_observed: false })
}

/// Who depends on one that has failed too blames that one.
fn step_to_failed_dependency(judged: &Judged, node: usize) -> Option<Step> {
    let failed = |(edge, other): &(&Edge, usize)| !NOT_BLAMED.contains(&edge.kind.as_str()) && judged.alarms(*other);
    let (_, other) = judged
        .graph
        .dependencies(node)
        .filter(failed)
        .max_by(|(_, a), (_, b)| judged.scores[*a].score.total_cmp(&judged.scores[*b].score))?;
    Some(Step::To { node: other, file: None, is_observed: false })
}

impl Case {
    fn new(judged: &Judged, walk: &Walk) -> Case {
        let trouble = match judged.trouble(walk.end) {
            // A stopped or starved holder is blamed for that; one that only holds, for holding.
            Some(own) if judged.scores[walk.end].score > TAKES_FROM_OTHERS && !WAITING.contains(&own) => own.to_owned(),
            _ => HOLDS_LOCK.to_owned(),
        };
        let (root, is_known) = (walk.end, walk.is_known);
        Case {
            root,
            is_known,
            trouble,
            locked_file: None,
            score: 0.0,
            victims: Vec::new(),
            alarming: Vec::new(),
            is_observed: true,
        }
    }

    fn add(&mut self, judged: &Judged, node: usize, walk: &Walk) {
        self.score = self.score.max(judged.scores[node].score);
        self.locked_file = walk.file.or(self.locked_file);
        self.is_observed &= walk.is_observed;
        self.alarming.push(node);
        if node != self.root {
            self.victims.push(node);
        }
    }

    /// Adds those who wait for the root without being beyond the threshold themselves, and sorts.
    fn finish(&mut self, judged: &Judged) {
        let depends = |(edge, _): &(&Edge, usize)| match edge.kind.as_str() {
            "waits-for" => edge.blocked_ms.is_some(),
            // Whoever talks to one that is stopped will wait for it.
            "connects" | "pipes" => self.trouble == "stopped",
            _ => false,
        };
        let dependants = judged.graph.dependants(self.root).filter(depends).map(|(_, node)| node);
        let mut victims: Vec<usize> = self.victims.iter().copied().chain(dependants).collect();
        // A file whose lock is waited for does not suffer; those who wait do.
        victims.retain(|&victim| victim != self.root && judged.graph.nodes()[victim].kind != "file");
        victims.sort_unstable();
        victims.dedup();
        victims.sort_by(|&a, &b| judged.scores[b].score.total_cmp(&judged.scores[a].score));
        self.victims = victims;
        if self.locked_file.is_none() && self.trouble == HOLDS_LOCK {
            self.locked_file =
                judged.graph.dependencies(self.root).find(|(edge, _)| edge.kind == "holds-lock").map(|(_, file)| file);
        }
    }
}

/// Roots of one role with one trouble are one case: the workers of a pool that all run away are not four incidents.
fn merge_alike(judged: &Judged, cases: Vec<Case>) -> Vec<Case> {
    let mut merged: BTreeMap<(String, String), Case> = BTreeMap::new();
    for case in cases {
        let key = (judged.graph.nodes()[case.root].role.clone(), case.trouble.clone());
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, case);
            }
            Some(held) => held.absorb(judged, case),
        }
    }
    merged.into_values().collect()
}

impl Case {
    fn absorb(&mut self, judged: &Judged, mut other: Case) {
        let rank =
            |case: &Case| (judged.scores[case.root].score, -judged.graph.nodes()[case.root].start_time.unwrap_or(0));
        if rank(&other) > rank(self) {
            std::mem::swap(self, &mut other);
        }
        self.score = self.score.max(other.score);
        self.is_observed &= other.is_observed;
        self.victims.push(other.root);
        self.victims.extend(other.victims);
        self.alarming.extend(other.alarming);
    }
}
