//! A possible root cause with the nodes that it affects.

use schemas::{Edge, EdgeKind, NodeKind};
use signals::{Class, Signal, WaitFor};

use super::{
    path::BlamePath,
    steps::{MIN_BLAMED_SCORE, own_symptom},
};
use crate::score::{self, ScoredGraph};

/// Symptom of a node that holds a lock for which others wait.
pub const HOLDS_LOCK: &str = "holds-lock";

/// Symptom of a node that does not read what others write to it.
pub const DOES_NOT_READ: &str = "does-not-read";

/// A possible root cause in one graph, with the nodes that it affects. Nodes are given by index.
#[derive(Clone, Debug, PartialEq)]
pub struct RootCauseCandidate {
    /// The node where the blame paths end.
    pub root: usize,
    /// False if the holder of a lock is not visible. `root` is the locked file then.
    pub is_conclusive: bool,
    /// What is wrong with the root: the name of a column, [`HOLDS_LOCK`] or [`DOES_NOT_READ`].
    pub symptom: String,
    /// The file whose lock the root holds.
    pub locked_file: Option<usize>,
    /// The highest score of the alarming nodes, in units of the threshold.
    pub score: f32,
    /// Affected nodes, the highest score first.
    pub affected: Vec<usize>,
    /// Alarming nodes whose blame paths end at the root.
    pub alarming: Vec<usize>,
    /// Whether each step of the blame paths was observed rather than inferred.
    pub is_observed: bool,
}

impl RootCauseCandidate {
    /// A candidate for the end of a blame path, without alarming nodes yet.
    pub(super) fn new(scored: &ScoredGraph, path: &BlamePath) -> RootCauseCandidate {
        RootCauseCandidate {
            root: path.end,
            is_conclusive: path.is_conclusive,
            symptom: root_symptom(scored, path),
            locked_file: None,
            score: 0.0,
            affected: Vec::new(),
            alarming: Vec::new(),
            is_observed: true,
        }
    }

    /// Adds an alarming node whose blame path ends at the root.
    pub(super) fn add_alarming(&mut self, scored: &ScoredGraph, node: usize, path: &BlamePath) {
        self.score = self.score.max(scored.scores[node].score);
        self.locked_file = path.locked_file.or(self.locked_file);
        self.is_observed &= path.is_observed;
        self.alarming.push(node);
        if node != self.root {
            self.affected.push(node);
        }
    }

    /// Merges a candidate of the same role and symptom. The root with the higher score remains, or
    /// the one that started earlier; the other becomes an affected node.
    pub(super) fn merge(&mut self, scored: &ScoredGraph, mut other: RootCauseCandidate) {
        let priority = |candidate: &RootCauseCandidate| {
            let root = candidate.root;
            (scored.scores[root].score, -scored.graph.nodes()[root].start_time.unwrap_or(0))
        };
        if priority(&other) > priority(self) {
            std::mem::swap(self, &mut other);
        }
        self.score = self.score.max(other.score);
        self.is_observed &= other.is_observed;
        self.affected.push(other.root);
        append_shorter(&mut self.affected, other.affected);
        append_shorter(&mut self.alarming, other.alarming);
    }

    /// Adds nodes that wait for the root without an alarm of their own, sorts the affected nodes,
    /// and looks up the locked file.
    pub(super) fn add_waiting(&mut self, scored: &ScoredGraph) {
        let is_late = score::class(&self.symptom).is_some_and(Class::is_late);
        let is_affected = |(edge, _): &(&Edge, usize)| match &edge.kind {
            EdgeKind::WaitsFor => edge.blocked_ms.is_some(),
            // Every peer of a stopped process will wait for it.
            EdgeKind::Connects | EdgeKind::Pipes => {
                self.symptom == Signal::Stopped.name() || (edge.blocked_ms.is_some() && is_late)
            }
            _ => false,
        };
        let waiting = scored.graph.dependants(self.root).filter(is_affected).map(|(_, node)| node);
        let mut affected: Vec<usize> = self.affected.iter().copied().chain(waiting).collect();
        // Not the locked file is affected, but the processes that wait for its lock.
        affected.retain(|&node| node != self.root && scored.graph.nodes()[node].kind != NodeKind::File);
        affected.sort_unstable();
        affected.dedup();
        affected.sort_by(|&a, &b| scored.scores[b].score.total_cmp(&scored.scores[a].score));
        self.affected = affected;
        if self.locked_file.is_none() && self.symptom == HOLDS_LOCK {
            let mut dependencies = scored.graph.dependencies(self.root);
            self.locked_file = dependencies.find(|(edge, _)| edge.kind == EdgeKind::HoldsLock).map(|(_, file)| file);
        }
    }
}

/// Appends `other` in any order. Copies the shorter list, so that merging many candidates one by
/// one takes little more than linear time.
fn append_shorter(nodes: &mut Vec<usize>, mut other: Vec<usize>) {
    if nodes.len() < other.len() {
        std::mem::swap(nodes, &mut other);
    }
    nodes.extend(other);
}

/// The symptom of the end of a blame path.
///
/// A root whose own symptom explains why it blocks others, such as a stopped process, has that
/// symptom. A root that only blocks others has [`DOES_NOT_READ`] or [`HOLDS_LOCK`].
fn root_symptom(scored: &ScoredGraph, path: &BlamePath) -> String {
    match own_symptom(scored, path.end) {
        Some(own)
            if scored.scores[path.end].score > MIN_BLAMED_SCORE
                && !(own.class.is_some_and(Class::is_blocking) && is_waited_for(scored, path)) =>
        {
            own.name.clone()
        }
        _ if blocks_writers(scored, path.end) => DOES_NOT_READ.to_owned(),
        _ => HOLDS_LOCK.to_owned(),
    }
}

/// Whether others wait for the end of the path, or for a lock that it holds.
fn is_waited_for(scored: &ScoredGraph, path: &BlamePath) -> bool {
    let is_wait = |edge: &Edge| edge.kind == EdgeKind::WaitsFor && edge.blocked_ms.is_some();
    path.locked_file.is_some()
        || scored.graph.dependants(path.end).any(|(edge, _)| is_wait(edge))
        || scored.graph.dependencies(path.end).any(|(edge, _)| edge.kind == EdgeKind::HoldsLock)
}

/// Whether others wait for the node to read what they write.
fn blocks_writers(scored: &ScoredGraph, node: usize) -> bool {
    let mut waits = scored.graph.dependants(node).filter(|(edge, _)| edge.kind == EdgeKind::WaitsFor);
    waits.any(|(_, writer)| {
        scored.symptom(writer).is_some_and(|column| column.class == Some(Class::Wait(WaitFor::Reader)))
    })
}
