//! Blame paths: from an affected node, step by step, to its root cause.

use std::collections::HashSet;

use schemas::NodeKind;

use super::steps::{BlameStep, next_step};
use crate::score::ScoredGraph;

/// The path of blame from an alarming node.
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

impl BlamePath {
    /// Follows blame from a node to its end.
    pub(super) fn from_node(scored: &ScoredGraph, node: usize) -> BlamePath {
        let mut path = BlamePath { end: node, is_conclusive: true, is_observed: true, locked_file: None };
        let mut visited = HashSet::from([node]);
        loop {
            match next_step(scored, path.end) {
                BlameStep::To { node, locked_file, is_observed } if visited.insert(node) => {
                    path.end = node;
                    path.locked_file = locked_file.or(path.locked_file);
                    path.is_observed &= is_observed;
                }
                BlameStep::InvisibleHolder { file } => {
                    return BlamePath { end: file, is_conclusive: false, locked_file: Some(file), ..path };
                }
                // A process that exhausted the limit of its group and is held up by it is the root
                // cause, not the group.
                BlameStep::To { node, .. } if scored.graph.nodes()[path.end].kind == NodeKind::Cgroup => {
                    path.end = node;
                    return path;
                }
                // A cycle of waits ends where it closes.
                BlameStep::To { .. } | BlameStep::End => return path,
            }
        }
    }
}
