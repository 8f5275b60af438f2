//! Inference from alarming nodes to root causes.
//!
//! An anomaly is not a cause: affected nodes often have the highest scores. From each alarming
//! node, blame follows a path along what the node waits for (the holder of a lock, a dependency
//! that fails too, the consumer of a resource that it lacks) to the node where the path ends.

mod candidate;
mod index;
mod path;
mod steps;

use std::collections::BTreeMap;

use signals::Class;

use crate::score::ScoredGraph;
pub use candidate::{DOES_NOT_READ, HOLDS_LOCK, RootCauseCandidate};
use path::BlamePaths;
use steps::own_symptom;

/// Finds the root causes of all alarms in a graph, the highest score first.
///
/// Alarming nodes whose blame paths end at the same node share a candidate, and so do root causes
/// of the same role with the same symptom. A node that is only affected is no root cause by itself.
pub fn find_root_causes(scored: &ScoredGraph) -> Vec<RootCauseCandidate> {
    let mut by_root: BTreeMap<usize, RootCauseCandidate> = BTreeMap::new();
    let mut paths = BlamePaths::new(scored);
    for node in scored.alarming_nodes() {
        let path = paths.follow(node);
        if path.end == node && is_effect_only(scored, node) {
            continue;
        }
        let candidate = by_root.entry(path.end).or_insert_with(|| RootCauseCandidate::new(scored, &path));
        candidate.add_alarming(scored, node, &path);
    }
    let mut candidates = merge_similar(scored, by_root.into_values().collect());
    for candidate in &mut candidates {
        candidate.add_waiting(scored);
    }
    sort_by_score(&mut candidates);
    candidates
}

/// Makes each alarming node a root cause of its own, the highest score first: the result of a
/// ranker without blame.
pub fn without_blame(scored: &ScoredGraph) -> Vec<RootCauseCandidate> {
    let to_candidate = |node: usize| RootCauseCandidate {
        root: node,
        is_conclusive: true,
        symptom: scored.symptom(node).map(|column| column.name.clone()).unwrap_or_default(),
        locked_file: None,
        score: scored.scores[node].score,
        affected: Vec::new(),
        alarming: vec![node],
        is_observed: true,
    };
    let mut candidates: Vec<RootCauseCandidate> = scored.alarming_nodes().map(to_candidate).collect();
    sort_by_score(&mut candidates);
    candidates
}

fn is_effect_only(scored: &ScoredGraph, node: usize) -> bool {
    own_symptom(scored, node).and_then(|column| column.class).is_some_and(Class::is_effect_only)
}

fn sort_by_score(candidates: &mut [RootCauseCandidate]) {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Merges candidates of the same role with the same symptom: workers of a pool that all run away
/// are one incident.
fn merge_similar(scored: &ScoredGraph, candidates: Vec<RootCauseCandidate>) -> Vec<RootCauseCandidate> {
    let mut merged: BTreeMap<(String, String), RootCauseCandidate> = BTreeMap::new();
    for candidate in candidates {
        let key = (scored.graph.nodes()[candidate.root].role.clone(), candidate.symptom.clone());
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, candidate);
            }
            Some(similar) => similar.merge(scored, candidate),
        }
    }
    merged.into_values().collect()
}
