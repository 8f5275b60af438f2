//! What a reconstruction says of each node.
//!
//! Under the default profile every column of a node has a deviation (in spreads of its role) and a residual (what the model did
//! not explain of it, in spreads of its healthy residual). A deviation that the neighbourhood explains counts less, but the model
//! alone never hides one: auto-encoders extrapolate, and may reconstruct what they never saw.

use schemas::{Calibration, NodeKind, RoleCalibration};

use crate::{
    Encoded, HostGraph, Scaler, classic,
    features::{ColumnValues, deviations},
    recipe::{Profile, Recipe},
    scale::quantile,
};

/// The part of a deviation that counts even when the model explains it.
const COUNTS_ANYWAY: f32 = 0.7;
/// The exponent of the mean that makes one score of a node's deviations: near their maximum, more when several agree.
const AGREEMENT: i32 = 4;
/// Weaker deviations are left out of the reasons.
const WORTH_TELLING: f32 = 2.0;

/// How far one node is from normal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeScore {
    /// In units of the release's threshold: above 1 alarms.
    pub score: f32,
    /// Whether its role was seen while healthy.
    pub is_known: bool,
    /// What deviates, the strongest first.
    pub deviations: Vec<Deviation>,
}

/// One value that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Index into the recipe's columns; under `classic` into its features.
    pub column: usize,
    /// The value that is normal for the role, in the column's unit.
    pub expected: f32,
    /// The value that was seen, in the column's unit.
    pub observed: f32,
    /// In spreads, at least 0.
    pub strength: f32,
}

/// Scores every node of a graph. `reconstruction` has the shape of `encoded.x`.
pub fn judge(
    recipe: &Recipe,
    scaler: &Scaler,
    threshold: f64,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<NodeScore> {
    let mut scores = match recipe.profile {
        Profile::Classic => judge_classic(graph, encoded, reconstruction),
        Profile::Default => judge_default(recipe, scaler, graph, encoded, reconstruction),
    };
    for score in &mut scores {
        score.score /= (threshold as f32).max(f32::MIN_POSITIVE);
    }
    scores
}

fn judge_default(
    recipe: &Recipe,
    scaler: &Scaler,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<NodeScore> {
    let values = ColumnValues::of(recipe, graph);
    let judge_node = |at: usize| {
        let normal = scaler.normal(&graph.nodes()[at]);
        let row = values.row(at);
        let mut found = Vec::new();
        for (column, deviation) in deviations(scaler, graph, at, row).enumerate() {
            let (Some(deviation), Some(observed)) = (deviation, row[column]) else { continue };
            let scale = &scaler.scales()[column];
            let residual = residual(encoded, reconstruction, at, column);
            let unexplained = match normal {
                Some(normal) => (residual - normal.residual_centre[column]) / normal.residual_spread[column],
                None => residual,
            };
            let strength = strength(scale.abnormal_part(deviation), scale.abnormal_part(unexplained));
            let centre = normal.map_or(0.0, |normal| normal.centre[column]);
            found.push(Deviation { column, expected: scale.invert(centre), observed, strength });
        }
        let score = combine(found.iter().map(|deviation| deviation.strength));
        found.retain(|deviation| deviation.strength >= WORTH_TELLING);
        found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        NodeScore { score, is_known: normal.is_some_and(|normal| normal.is_of_role), deviations: found }
    };
    (0..graph.nodes().len()).map(judge_node).collect()
}

/// Far beyond the clamp a deviation goes on counting, slowly, so that the largest of several is told.
fn strength(deviation: f32, unexplained: f32) -> f32 {
    let clamp = crate::features::CLAMP;
    let soft = if deviation > clamp { clamp + (deviation / clamp).ln() } else { deviation };
    COUNTS_ANYWAY * soft + (1.0 - COUNTS_ANYWAY) * soft.min(unexplained)
}

fn combine(strengths: impl Iterator<Item = f32>) -> f32 {
    strengths.map(|strength| strength.powi(AGREEMENT)).sum::<f32>().powf(1.0 / AGREEMENT as f32)
}

/// What the model did not explain of a node's value in one column of the recipe.
fn residual(encoded: &Encoded, reconstruction: &[f32], row: usize, column: usize) -> f32 {
    let at = row * encoded.width + 2 * column;
    encoded.x[at] - reconstruction[at]
}

/// The original's score: the mean squared error of a node.
fn judge_classic(graph: &HostGraph, encoded: &Encoded, reconstruction: &[f32]) -> Vec<NodeScore> {
    let mut scores = vec![NodeScore::default(); graph.nodes().len()];
    for (row, &node) in encoded.node_of_row.iter().enumerate() {
        let range = row * encoded.width..(row + 1) * encoded.width;
        let (x, y) = (&encoded.x[range.clone()], &reconstruction[range]);
        let mut deviations: Vec<_> = (0..classic::FEATURES.len())
            .map(|column| Deviation {
                column,
                expected: y[column],
                observed: x[column],
                strength: (x[column] - y[column]).powi(2),
            })
            .collect();
        let score = deviations.iter().map(|deviation| deviation.strength).sum::<f32>() / x.len() as f32;
        deviations.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        deviations.truncate(3);
        scores[node] = NodeScore { score, is_known: true, deviations };
    }
    scores
}

/// Sets the residual figures of each role from graphs that the model has not been fitted to. `seen` pairs each graph with what was
/// encoded of it and reconstructed.
pub fn fit_residuals(recipe: &Recipe, roles: &mut [RoleCalibration], seen: &[(&HostGraph, &Encoded, &[f32])]) {
    if recipe.profile == Profile::Classic {
        return;
    }
    for role in roles {
        let mut per_column: Vec<Vec<f32>> = vec![Vec::new(); recipe.columns.len()];
        for (graph, encoded, reconstruction) in seen {
            for (at, node) in graph.nodes().iter().enumerate() {
                if node.kind == role.kind && (role.role.is_empty() || node.role == role.role) {
                    for (column, residuals) in per_column.iter_mut().enumerate() {
                        residuals.push(residual(encoded, reconstruction, at, column));
                    }
                }
            }
        }
        for (column, mut residuals) in per_column.into_iter().enumerate() {
            let centre = quantile(&mut residuals, 0.5).unwrap_or(0.0);
            let mut apart: Vec<f32> = residuals.iter().map(|residual| (residual - centre).abs()).collect();
            role.residual_centre[column] = centre;
            // One spread of the role is never a surprise, however well the model does on it.
            role.residual_spread[column] = (quantile(&mut apart, 0.5).unwrap_or(0.0) * 1.4826).max(1.0);
        }
    }
}

/// The scores, not yet in units of a threshold, that the alarm looks at in one sweep: of every node that may be a suspect.
pub fn unscaled_scores(
    recipe: &Recipe,
    calibration: &Calibration,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<(String, f32)> {
    let scaler = Scaler::of(recipe, calibration);
    judge(recipe, &scaler, 1.0, graph, encoded, reconstruction)
        .into_iter()
        .zip(graph.nodes())
        .filter(|(_, node)| may_be_suspect(&node.kind))
        .map(|(score, node)| (node.id.clone(), score.score))
        .collect()
}

/// Whether nodes of this kind can be the cause of trouble: pressure is felt by a system, never started by it.
pub fn may_be_suspect(kind: &NodeKind) -> bool {
    *kind != NodeKind::System
}
