//! What the blame paths of one sweep look up, computed once for all of them.

use std::collections::{HashMap, HashSet};

use schemas::{Edge, EdgeBasis, EdgeKind};
use signals::{Class, Resource};

use super::steps::MIN_BLAMED_SCORE;
use crate::score::ScoredGraph;

/// Lookups by node in one scored graph. Without them, each path would search all nodes or all edges
/// of a large node again.
pub(super) struct SweepIndex<'a> {
    /// The graph.
    pub(super) scored: &'a ScoredGraph,
    /// The two nodes with the highest scores that use more of a resource than normal.
    consumers: HashMap<Resource, TopTwo>,
    /// The holder of the lock of each file, and whether it was observed.
    holders: HashMap<usize, (usize, bool)>,
    /// The target of the `member-of` edge of each process, file and control group.
    groups: HashMap<usize, usize>,
    /// Waiting nodes with the nodes that they wait for.
    waits: HashSet<(usize, usize)>,
}

impl<'a> SweepIndex<'a> {
    /// Reads each node and each edge once.
    pub(super) fn new(scored: &'a ScoredGraph) -> SweepIndex<'a> {
        let mut index = SweepIndex {
            scored,
            consumers: HashMap::new(),
            holders: HashMap::new(),
            groups: HashMap::new(),
            waits: HashSet::new(),
        };
        for node in 0..scored.graph.nodes().len() {
            index.add_consumer(node);
        }
        for (edge, source, target) in scored.graph.edges() {
            index.add_edge(edge, source, target);
        }
        index
    }

    /// The node with the highest score that uses more of the resource than normal, other than
    /// `node`.
    pub(super) fn most_abnormal_consumer(&self, resource: Resource, node: usize) -> Option<usize> {
        let top = self.consumers.get(&resource)?;
        [top.first, top.second].into_iter().flatten().find(|consumer| *consumer != node)
    }

    /// The holder of a file's lock, and whether it was observed. A process that only inherited the
    /// holder's open file is an inferred holder, so observed ones come first.
    pub(super) fn holder(&self, file: usize) -> Option<(usize, bool)> {
        self.holders.get(&file).copied()
    }

    /// The innermost control group of a process, or the enclosing one of a control group.
    pub(super) fn group(&self, member: usize) -> Option<usize> {
        self.groups.get(&member).copied()
    }

    /// Whether `source` waits for `target`.
    pub(super) fn waits_for(&self, source: usize, target: usize) -> bool {
        self.waits.contains(&(source, target))
    }

    fn add_consumer(&mut self, node: usize) {
        if self.scored.scores[node].score <= MIN_BLAMED_SCORE {
            return;
        }
        let classes = self.scored.symptoms(node).filter_map(|(column, _)| column.class.as_ref());
        for resource in classes.flat_map(Class::consumed_resources) {
            self.consumers.entry(*resource).or_default().add(self.scored, node);
        }
    }

    fn add_edge(&mut self, edge: &Edge, source: usize, target: usize) {
        match edge.kind {
            EdgeKind::HoldsLock => {
                let is_observed = edge.basis == EdgeBasis::Observed;
                let holder = self.holders.entry(target).or_insert((source, is_observed));
                if is_observed >= holder.1 {
                    *holder = (source, is_observed);
                }
            }
            EdgeKind::MemberOf => {
                self.groups.insert(source, target);
            }
            EdgeKind::WaitsFor if edge.blocked_ms.is_some() => {
                self.waits.insert((source, target));
            }
            _ => {}
        }
    }
}

/// The two nodes with the highest scores; of equal ones the later.
#[derive(Default)]
struct TopTwo {
    first: Option<usize>,
    second: Option<usize>,
}

impl TopTwo {
    fn add(&mut self, scored: &ScoredGraph, node: usize) {
        let is_below = |other: Option<usize>| {
            other.is_none_or(|other| scored.scores[other].score.total_cmp(&scored.scores[node].score).is_le())
        };
        if self.first == Some(node) {
            return;
        }
        if is_below(self.first) {
            self.second = self.first.replace(node);
        } else if is_below(self.second) {
            self.second = Some(node);
        }
    }
}
