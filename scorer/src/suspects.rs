//! Nodes as suspects, ranked and with reasons.

use graph::anomaly::can_be_suspect;
use schemas::{Reason, Stage, Suspect, text::clean};

use crate::{
    blame::{DOES_NOT_READ, HOLDS_LOCK, RootCauseCandidate},
    reasons,
    score::ScoredGraph,
};

/// Largest number of evidence lines of one suspect.
const MAX_EVIDENCE: usize = 6;
/// Factor of the score of a node that a root cause explains.
const EXPLAINED_FACTOR: f32 = 0.5;
/// Factor from the highest score of the alarming nodes to the score of their root cause, which puts
/// it first in the ranking.
const ROOT_CAUSE_FACTOR: f32 = 1.1;

/// A node in the ranking of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedNode {
    /// Index of the node.
    pub node: usize,
    /// Score for the ranking, in units of the threshold.
    pub score: f32,
    /// Part of the node in the incident.
    pub stage: Stage,
}

/// Ranks all nodes that can be suspects, the highest score first.
pub fn rank(scored: &ScoredGraph, candidates: &[RootCauseCandidate]) -> Vec<RankedNode> {
    let mut ranking: Vec<RankedNode> = (0..scored.graph.nodes().len())
        .filter(|&node| can_be_suspect(&scored.graph.nodes()[node].kind))
        .map(|node| RankedNode { node, score: scored.scores[node].score, stage: Stage::Initiating })
        .collect();
    let causes = Causes::new(scored, candidates);
    for entry in &mut ranking {
        let node = entry.node;
        if let Some(root_cause) = causes.with_root[node] {
            entry.score = root_cause.score * ROOT_CAUSE_FACTOR;
        } else if let Some(cause) = causes.explaining[node] {
            entry.score *= EXPLAINED_FACTOR;
            entry.stage = if cause.affected.first() == Some(&node) { Stage::FirstFailure } else { Stage::Impact };
        }
    }
    ranking.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.node.cmp(&b.node)));
    ranking
}

/// The first conclusive candidate of each node, by index of the node.
struct Causes<'a> {
    /// The candidate whose root the node is.
    with_root: Vec<Option<&'a RootCauseCandidate>>,
    /// The candidate that explains the anomaly of the node.
    explaining: Vec<Option<&'a RootCauseCandidate>>,
}

impl<'a> Causes<'a> {
    fn new(scored: &ScoredGraph, candidates: &'a [RootCauseCandidate]) -> Causes<'a> {
        let n_nodes = scored.graph.nodes().len();
        let mut causes = Causes { with_root: vec![None; n_nodes], explaining: vec![None; n_nodes] };
        // Reversed, so that the first candidate overwrites the others.
        for candidate in candidates.iter().rev().filter(|candidate| candidate.is_conclusive) {
            causes.with_root[candidate.root] = Some(candidate);
            let explained = candidate.affected.iter().chain(&candidate.alarming).chain(&candidate.locked_file);
            for &node in explained.filter(|node| **node != candidate.root) {
                causes.explaining[node] = Some(candidate);
            }
        }
        causes
    }
}

/// Converts a ranked node to a suspect of rank `rank`, with its reasons. Names and paths are
/// cleaned: a snapshot may come from any program.
pub fn to_suspect(
    scored: &ScoredGraph,
    candidates: &[RootCauseCandidate],
    ranked: &RankedNode,
    rank: usize,
) -> Suspect {
    let node = &scored.graph.nodes()[ranked.node];
    let candidate = candidates.iter().find(|candidate| candidate.root == ranked.node);
    let locked_file = candidate.and_then(|candidate| candidate.locked_file);
    let locked_path = locked_file.and_then(|file| scored.graph.nodes()[file].path.clone());
    Suspect {
        rank: i32::try_from(rank).unwrap_or(i32::MAX),
        kind: clean(node.kind.as_str()).as_ref().into(),
        name: clean(&node.name).into_owned(),
        role: clean(&node.role).into_owned(),
        pid: node.pid,
        start_time: node.start_time,
        path: locked_path.or_else(|| node.path.clone()).map(|path| clean(&path).into_owned()),
        endpoint: node.endpoint.as_deref().map(|endpoint| clean(endpoint).into_owned()),
        score: f64::from(ranked.score),
        stage: ranked.stage,
        why: reasons(scored, candidate, ranked.node),
    }
}

/// The root cause as the initiating suspect; `None` if it is inconclusive.
pub fn initiating(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> Option<Suspect> {
    let score = candidate.score * ROOT_CAUSE_FACTOR;
    let root = RankedNode { node: candidate.root, score, stage: Stage::Initiating };
    candidate.is_conclusive.then(|| to_suspect(scored, std::slice::from_ref(candidate), &root, 1))
}

/// The first `max` affected nodes as suspects, the highest score first.
pub fn impact(scored: &ScoredGraph, candidate: &RootCauseCandidate, max: usize) -> Vec<Suspect> {
    let affected = candidate.affected.iter().take(max).zip(1..);
    affected
        .map(|(&node, rank)| {
            let ranked = RankedNode { node, score: scored.scores[node].score, stage: Stage::Impact };
            to_suspect(scored, &[], &ranked, rank)
        })
        .collect()
}

/// The roots of the first `max` root causes of a collective incident as suspects.
pub fn members(scored: &ScoredGraph, members: &[&RootCauseCandidate], max: usize) -> Vec<Suspect> {
    let to_suspect = |(member, rank): (&&RootCauseCandidate, usize)| {
        let ranked = RankedNode { node: member.root, score: member.score, stage: Stage::Initiating };
        to_suspect(scored, std::slice::from_ref(*member), &ranked, rank)
    };
    members.iter().take(max).zip(1..).map(to_suspect).collect()
}

/// Reasons of a node: as a root cause, then its deviations, then its evidence.
fn reasons(scored: &ScoredGraph, candidate: Option<&RootCauseCandidate>, node: usize) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match candidate {
        Some(candidate) if candidate.symptom == HOLDS_LOCK => reasons.extend(reasons::lock_reason(scored, candidate)),
        Some(candidate) if candidate.symptom == DOES_NOT_READ => {
            reasons.push(reasons::reader_reason(scored, candidate));
        }
        _ => {}
    }
    let deviations = &scored.scores[node].deviations;
    reasons.extend(deviations.iter().filter_map(|deviation| reasons::deviation_reason(scored, deviation)));
    let index = i32::try_from(node).unwrap_or(-1);
    let evidence = scored.graph.snapshot().evidence.iter().filter(|evidence| evidence.nodes.contains(&index));
    reasons.extend(evidence.take(MAX_EVIDENCE).map(reasons::evidence_reason));
    for reason in &mut reasons {
        for text in [&mut reason.text, &mut reason.source, &mut reason.unit] {
            *text = clean(text).into_owned();
        }
    }
    reasons
}
