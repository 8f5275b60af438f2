//! Blame paths: from an affected node, step by step, to its root cause.

use std::collections::HashSet;

use schemas::NodeKind;

use super::{
    index::SweepIndex,
    steps::{BlameStep, next_step},
};
use crate::score::ScoredGraph;

/// Steps after which a path around a cycle of waits ends. Real cycles have a few nodes.
const MAX_CYCLE_STEPS: usize = 64;

/// The path of blame from an alarming node.
#[derive(Clone, Copy)]
pub(super) struct BlamePath {
    /// The node where the path ends.
    pub(super) end: usize,
    /// False if the path ends at a lock whose holder is not visible.
    pub(super) is_conclusive: bool,
    /// Whether each step was observed rather than inferred.
    pub(super) is_observed: bool,
    /// The last file on the path whose lock is waited for.
    pub(super) locked_file: Option<usize>,
}

/// The blame paths of one sweep. A node has one next step, so a path continues with that of the
/// next node, and all paths together take linear time.
pub(super) struct BlamePaths<'a> {
    index: SweepIndex<'a>,
    steps: Vec<Option<BlameStep>>,
    paths: Vec<Option<BlamePath>>,
}

impl<'a> BlamePaths<'a> {
    /// No paths yet.
    pub(super) fn new(scored: &'a ScoredGraph) -> BlamePaths<'a> {
        let n_nodes = scored.graph.nodes().len();
        BlamePaths { index: SweepIndex::new(scored), steps: vec![None; n_nodes], paths: vec![None; n_nodes] }
    }

    /// Follows blame from a node to its end.
    pub(super) fn follow(&mut self, node: usize) -> BlamePath {
        let mut walked = Vec::new();
        let mut visited = HashSet::new();
        let mut at = node;
        let mut path = loop {
            if let Some(path) = self.paths[at] {
                break path;
            }
            if !visited.insert(at) {
                break self.add_cycle(&mut walked, at);
            }
            walked.push(at);
            match self.step(at) {
                BlameStep::To { node, .. } => at = node,
                step => break BlamePath::new(at).after(step),
            }
        };
        while let Some(node) = walked.pop() {
            if let step @ BlameStep::To { .. } = self.step(node) {
                path = path.before(step);
            }
            self.paths[node] = Some(path);
        }
        path
    }

    /// Adds the paths of all nodes of the cycle that `walked` ends with and that closes at `node`,
    /// and removes them from `walked`. Returns the path of `node`.
    fn add_cycle(&mut self, walked: &mut Vec<usize>, node: usize) -> BlamePath {
        while let Some(member) = walked.pop() {
            let path = self.walk(member);
            self.paths[member] = Some(path);
            if member == node {
                return path;
            }
        }
        BlamePath::new(node)
    }

    /// The path from a node of a cycle. It ends where the cycle closes.
    fn walk(&mut self, node: usize) -> BlamePath {
        let mut path = BlamePath::new(node);
        let mut visited = HashSet::from([node]);
        while visited.len() < MAX_CYCLE_STEPS {
            let step = self.step(path.end);
            match step {
                BlameStep::To { node, .. } if visited.insert(node) => path = path.after(step),
                // A process that exhausted the limit of its group and is held up by it is the root
                // cause, not the group.
                BlameStep::To { node, .. } if self.index.scored.graph.nodes()[path.end].kind == NodeKind::Cgroup => {
                    path.end = node;
                    break;
                }
                BlameStep::To { .. } => break,
                _ => return path.after(step),
            }
        }
        path
    }

    fn step(&mut self, node: usize) -> BlameStep {
        *self.steps[node].get_or_insert_with(|| next_step(&self.index, node))
    }
}

impl BlamePath {
    /// A path without steps.
    fn new(node: usize) -> BlamePath {
        BlamePath { end: node, is_conclusive: true, is_observed: true, locked_file: None }
    }

    /// This path with a step after its end.
    fn after(self, step: BlameStep) -> BlamePath {
        match step {
            BlameStep::To { node, locked_file, is_observed } => BlamePath {
                end: node,
                is_observed: self.is_observed && is_observed,
                locked_file: locked_file.or(self.locked_file),
                ..self
            },
            BlameStep::InvisibleHolder { file } => {
                BlamePath { end: file, is_conclusive: false, locked_file: Some(file), ..self }
            }
            BlameStep::End => self,
        }
    }

    /// This path with a step to its first node before it.
    fn before(self, step: BlameStep) -> BlamePath {
        match step {
            BlameStep::To { locked_file, is_observed, .. } => BlamePath {
                is_observed: self.is_observed && is_observed,
                locked_file: self.locked_file.or(locked_file),
                ..self
            },
            _ => self,
        }
    }
}
