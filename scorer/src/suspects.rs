//! Nodes as suspects: ranked, each with the reasons against it.

use graph::anomaly::can_be_suspect;
use schemas::{Reason, Stage, Suspect};

use crate::{
    blame::{Case, DOES_NOT_READ, HOLDS_LOCK},
    reasons,
    score::Judged,
};

/// How many raw lines are shown with one suspect.
const MOST_LINES: usize = 6;
/// Whose blame leads elsewhere keeps this part of its score in the ranking.
const EXPLAINED: f32 = 0.5;
/// A root stands this much above the worst of its victims.
const ABOVE_VICTIMS: f32 = 1.1;

/// All nodes of a sweep that may be suspects, the most suspect first.
pub fn rank(judged: &Judged, cases: &[Case]) -> Vec<(usize, f32, Stage)> {
    let mut ranking: Vec<(usize, f32, Stage)> = (0..judged.graph.nodes().len())
        .filter(|&node| can_be_suspect(&judged.graph.nodes()[node].kind))
        .map(|node| (node, judged.scores[node].score, Stage::Initiating))
        .collect();
    for entry in &mut ranking {
        let node = entry.0;
        if let Some(case) = cases.iter().find(|case| case.root == node && case.is_known) {
            entry.1 = case.score * ABOVE_VICTIMS;
        } else if let Some(case) = cases.iter().find(|case| case.explains(node)) {
            let stage = if case.victims.first() == Some(&node) { Stage::FirstFailure } else { Stage::Impact };
            (entry.1, entry.2) = (entry.1 * EXPLAINED, stage);
        }
    }
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranking
}

impl Case {
    fn explains(&self, node: usize) -> bool {
        self.is_known
            && self.root != node
            && (self.victims.contains(&node) || self.alarming.contains(&node) || self.locked_file == Some(node))
    }
}

/// A node as a suspect of a given rank.
pub fn suspect(judged: &Judged, cases: &[Case], node: usize, rank: usize, score: f32, stage: Stage) -> Suspect {
    let of = &judged.graph.nodes()[node];
    let case = cases.iter().find(|case| case.root == node);
    let locked = case.and_then(|case| case.locked_file).and_then(|file| judged.graph.nodes()[file].path.clone());
    Suspect {
        rank: i32::try_from(rank).unwrap_or(i32::MAX),
        kind: of.kind.clone(),
        name: of.name.clone(),
        role: of.role.clone(),
        pid: of.pid,
        start_time: of.start_time,
        path: locked.or_else(|| of.path.clone()),
        endpoint: of.endpoint.clone(),
        score: f64::from(score),
        stage,
        why: why(judged, case, node),
    }
}

/// The initiating suspect of a case, if one is known.
pub fn initiating(judged: &Judged, case: &Case) -> Option<Suspect> {
    let of_case = std::slice::from_ref(case);
    case.is_known.then(|| suspect(judged, of_case, case.root, 1, case.score * ABOVE_VICTIMS, Stage::Initiating))
}

/// The victims of a case as suspects, the worst first, at most `most`.
pub fn impact(judged: &Judged, case: &Case, most: usize) -> Vec<Suspect> {
    let victims = case.victims.iter().take(most).enumerate();
    victims.map(|(at, &node)| suspect(judged, &[], node, at + 1, judged.scores[node].score, Stage::Impact)).collect()
}

fn why(judged: &Judged, case: Option<&Case>, node: usize) -> Vec<Reason> {
    let mut why = Vec::new();
    match case {
        Some(case) if case.trouble == HOLDS_LOCK => why.extend(reasons::of_lock(judged, case)),
        Some(case) if case.trouble == DOES_NOT_READ => why.push(reasons::of_reader(judged, case)),
        _ => {}
    }
    let deviations = &judged.scores[node].deviations;
    why.extend(deviations.iter().filter_map(|deviation| reasons::of_deviation(judged, deviation)));
    let index = i32::try_from(node).unwrap_or(-1);
    let lines = judged.graph.snapshot().evidence.iter().filter(|evidence| evidence.nodes.contains(&index));
    why.extend(lines.take(MOST_LINES).map(reasons::of_evidence));
    why
}
