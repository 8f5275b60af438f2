//! From the one who suffers to the one who started it.
//!
//! Anomaly is not cause: victims shout loudest. From each alarming node blame walks along what the node waits for (the holder of a
//! lock, a peer that has failed too, the consumer of a resource that it lacks) until nobody further is found.

mod steps;

use std::collections::BTreeMap;

use schemas::{Edge, EdgeKind, NodeKind};
use signals::{Class, Signal, WaitFor};

use crate::score::{self, Judged};
use steps::{TAKES_FROM_OTHERS, Walk, own_symptom, walk};

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

/// The trouble of one who does not read what others write to it.
pub const DOES_NOT_READ: &str = "does-not-read";

/// Groups the alarming nodes of a sweep by the root that each one's walk ends at, the worst case first.
pub fn cases(judged: &Judged) -> Vec<Case> {
    let mut by_root: BTreeMap<usize, Case> = BTreeMap::new();
    for node in (0..judged.graph.nodes().len()).filter(|&node| judged.alarms(node)) {
        let walk = walk(judged, node);
        if walk.end == node && own_symptom(judged, node).is_some_and(|own| own.class.is_some_and(Class::is_effect_only))
        {
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

/// What there is to tell where blame is not asked: each alarming node is a case of its own, the worst first.
pub fn without_blame(judged: &Judged) -> Vec<Case> {
    let of_its_own = |node: usize| Case {
        root: node,
        is_known: true,
        trouble: judged.symptom(node).map(|column| column.name.clone()).unwrap_or_default(),
        locked_file: None,
        score: judged.scores[node].score,
        victims: Vec::new(),
        alarming: vec![node],
        is_observed: true,
    };
    let alarming = (0..judged.graph.nodes().len()).filter(|&node| judged.alarms(node));
    let mut cases: Vec<Case> = alarming.map(of_its_own).collect();
    cases.sort_by(|a, b| b.score.total_cmp(&a.score));
    cases
}

/// Whether others wait for where the walk ended, or for a lock there.
fn is_waited_for(judged: &Judged, walk: &Walk) -> bool {
    let is_wait = |edge: &Edge| edge.kind == EdgeKind::WaitsFor && edge.blocked_ms.is_some();
    let holds = |edge: &Edge| edge.kind == EdgeKind::HoldsLock;
    walk.file.is_some()
        || judged.graph.dependants(walk.end).any(|(edge, _)| is_wait(edge))
        || judged.graph.dependencies(walk.end).any(|(edge, _)| holds(edge))
}

/// Whether others wait for the node to read what they write.
fn keeps_writers(judged: &Judged, node: usize) -> bool {
    let waits = judged.graph.dependants(node).filter(|(edge, _)| edge.kind == EdgeKind::WaitsFor);
    waits.into_iter().any(|(_, writer)| {
        judged.symptom(writer).is_some_and(|column| column.class == Some(Class::Wait(WaitFor::Reader)))
    })
}

impl Case {
    fn new(judged: &Judged, walk: &Walk) -> Case {
        let trouble = match own_symptom(judged, walk.end) {
            // A stopped or starved holder is blamed for that; one that only holds, for holding.
            Some(own)
                if judged.scores[walk.end].score > TAKES_FROM_OTHERS
                    && !(own.class.is_some_and(Class::is_blocking) && is_waited_for(judged, walk)) =>
            {
                own.name.clone()
            }
            _ if keeps_writers(judged, walk.end) => DOES_NOT_READ.to_owned(),
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
        let is_late = score::class(&self.trouble).is_some_and(Class::is_late);
        let depends = |(edge, _): &(&Edge, usize)| match &edge.kind {
            EdgeKind::WaitsFor => edge.blocked_ms.is_some(),
            // Whoever talks to one that is stopped will wait for it.
            EdgeKind::Connects | EdgeKind::Pipes => {
                self.trouble == Signal::Stopped.name() || (edge.blocked_ms.is_some() && is_late)
            }
            _ => false,
        };
        let dependants = judged.graph.dependants(self.root).filter(depends).map(|(_, node)| node);
        let mut victims: Vec<usize> = self.victims.iter().copied().chain(dependants).collect();
        // A file whose lock is waited for does not suffer; those who wait do.
        victims.retain(|&victim| victim != self.root && judged.graph.nodes()[victim].kind != NodeKind::File);
        victims.sort_unstable();
        victims.dedup();
        victims.sort_by(|&a, &b| judged.scores[b].score.total_cmp(&judged.scores[a].score));
        self.victims = victims;
        if self.locked_file.is_none() && self.trouble == HOLDS_LOCK {
            self.locked_file = judged
                .graph
                .dependencies(self.root)
                .find(|(edge, _)| edge.kind == EdgeKind::HoldsLock)
                .map(|(_, file)| file);
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
