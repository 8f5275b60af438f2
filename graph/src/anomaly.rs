//! Anomaly scores from the reconstruction of a model.
//!
//! Under the default profile each value of a node has a deviation (from its baseline, in spreads)
//! and a residual (the part that the model does not explain, in spreads of healthy residuals). A
//! deviation that the neighbourhood explains counts less, but the model alone never hides one:
//! auto-encoders extrapolate and may reconstruct values unlike any they were trained on.

use std::collections::HashMap;

use schemas::{Calibration, NodeKind, RoleCalibration};

use crate::{
    Baselines, Encoded, HostGraph, classic,
    column_values::ColumnValues,
    features,
    recipe::{Profile, Recipe},
    statistics::{quantile, robust_spread},
};

/// Weight of a deviation that the model explains.
const EXPLAINED_WEIGHT: f32 = 0.7;
/// Exponent of the power mean that combines deviations into a score: near their maximum, and higher
/// if several agree.
const POWER: i32 = 4;
/// Weaker deviations, in spreads, are not reported.
const MIN_STRENGTH: f32 = 2.0;
/// Largest number of deviations that are reported of a node under the profile `classic`.
const MAX_CLASSIC_DEVIATIONS: usize = 3;

/// The anomaly score of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeScore {
    /// The score in units of the threshold: above 1 the node alarms.
    pub score: f32,
    /// Whether its role has a baseline.
    pub is_known: bool,
    /// Its deviations, the strongest first.
    pub deviations: Vec<Deviation>,
}

/// One value that differs from its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Index of the column in the recipe; under `classic`, of the feature.
    pub column: usize,
    /// The centre of the baseline, in the unit of the column.
    pub expected: f32,
    /// The value, in the unit of the column.
    pub observed: f32,
    /// The abnormal part of the deviation, in spreads and at least 0.
    pub strength: f32,
}

/// Scores every node of a graph. `reconstruction` has the shape of `encoded.x`.
pub fn score_nodes(
    recipe: &Recipe,
    baselines: &Baselines,
    threshold: f64,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<NodeScore> {
    let mut scores = match recipe.profile {
        Profile::Classic => score_classic(graph, encoded, reconstruction),
        Profile::Default => score_default(recipe, baselines, graph, encoded, reconstruction),
    };
    for score in &mut scores {
        score.score /= (threshold as f32).max(f32::MIN_POSITIVE);
    }
    scores
}

fn score_default(
    recipe: &Recipe,
    baselines: &Baselines,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<NodeScore> {
    let values = ColumnValues::new(recipe, graph);
    let score_node = |node: usize| {
        let baseline = baselines.baseline(&graph.nodes()[node]);
        let row = values.row(node);
        let mut found = Vec::new();
        for (column, deviation) in baselines.deviations(&graph.nodes()[node], row).enumerate() {
            let (Some(deviation), Some(observed)) = (deviation, row[column]) else { continue };
            let scale = &baselines.scales()[column];
            let residual = residual(encoded, reconstruction, node, column);
            let unexplained = match baseline {
                Some(baseline) => (residual - baseline.residual_centre[column]) / baseline.residual_spread[column],
                None => residual,
            };
            let strength = strength(scale.abnormal_part(deviation), scale.abnormal_part(unexplained));
            let centre = baseline.map_or(0.0, |baseline| baseline.centre[column]);
            found.push(Deviation { column, expected: scale.invert(centre), observed, strength });
        }
        let score = combine(found.iter().map(|deviation| deviation.strength));
        found.retain(|deviation| deviation.strength >= MIN_STRENGTH);
        found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        NodeScore { score, is_known: baseline.is_some_and(|baseline| baseline.is_of_role), deviations: found }
    };
    (0..graph.nodes().len()).map(score_node).collect()
}

/// Combines a deviation with its unexplained part. Beyond the clamp a deviation grows slowly, so
/// that the largest of several still ranks first.
fn strength(deviation: f32, unexplained: f32) -> f32 {
    let clamp = features::CLAMP;
    let soft = if deviation > clamp { clamp + (deviation / clamp).ln() } else { deviation };
    EXPLAINED_WEIGHT * soft + (1.0 - EXPLAINED_WEIGHT) * soft.min(unexplained)
}

fn combine(strengths: impl Iterator<Item = f32>) -> f32 {
    strengths.map(|strength| strength.powi(POWER)).sum::<f32>().powf(1.0 / POWER as f32)
}

/// The part of a value that the model does not explain.
fn residual(encoded: &Encoded, reconstruction: &[f32], row: usize, column: usize) -> f32 {
    let at = row * encoded.width + 2 * column;
    encoded.x[at] - reconstruction[at]
}

/// The score of the original design: the mean squared error of a node.
fn score_classic(graph: &HostGraph, encoded: &Encoded, reconstruction: &[f32]) -> Vec<NodeScore> {
    let mut scores = vec![NodeScore::default(); graph.nodes().len()];
    for (row, &node) in encoded.node_of_row.iter().enumerate() {
        let range = row * encoded.width..(row + 1) * encoded.width;
        let x = &encoded.x[range.clone()];
        let y = &reconstruction[range];
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
        deviations.truncate(MAX_CLASSIC_DEVIATIONS);
        scores[node] = NodeScore { score, is_known: true, deviations };
    }
    scores
}

/// Sets the residual figures of each role from graphs that the model was not fitted to. `samples`
/// holds each graph with its encoding and reconstruction.
pub fn fit_residuals(recipe: &Recipe, roles: &mut [RoleCalibration], samples: &[(&HostGraph, &Encoded, &[f32])]) {
    if recipe.profile == Profile::Classic {
        return;
    }
    let nodes = NodesByRole::new(samples);
    for role in roles {
        let mut per_column: Vec<Vec<f32>> = vec![Vec::new(); recipe.columns.len()];
        for &(sample, node) in nodes.with_role(role) {
            let (_, encoded, reconstruction) = samples[sample];
            for (column, residuals) in per_column.iter_mut().enumerate() {
                residuals.push(residual(encoded, reconstruction, node, column));
            }
        }
        for (column, mut residuals) in per_column.into_iter().enumerate() {
            let centre = quantile(&mut residuals, 0.5).unwrap_or(0.0);
            role.residual_centre[column] = centre;
            // However well the model does on the role, a residual of one spread is normal.
            role.residual_spread[column] = robust_spread(&residuals, centre).max(1.0);
        }
    }
}

/// The nodes of each role and of each kind in several graphs, as indices of graph and node.
struct NodesByRole<'a> {
    /// By kind and role; an empty role stands for all nodes of the kind.
    indices: HashMap<(&'a NodeKind, &'a str), Vec<(usize, usize)>>,
}

impl<'a> NodesByRole<'a> {
    fn new(samples: &[(&'a HostGraph, &Encoded, &[f32])]) -> NodesByRole<'a> {
        let mut by_role = NodesByRole { indices: HashMap::new() };
        for (sample, (graph, ..)) in samples.iter().enumerate() {
            for (index, node) in graph.nodes().iter().enumerate() {
                by_role.indices.entry((&node.kind, "")).or_default().push((sample, index));
                if !node.role.is_empty() {
                    by_role.indices.entry((&node.kind, &node.role)).or_default().push((sample, index));
                }
            }
        }
        by_role
    }

    fn with_role<'s>(&'s self, role: &'s RoleCalibration) -> &'s [(usize, usize)] {
        self.indices.get(&(&role.kind, role.role.as_str())).map_or(&[], Vec::as_slice)
    }
}

/// The scores of all possible suspects in one snapshot, by node id, before division by a threshold.
pub fn unscaled_scores(
    recipe: &Recipe,
    calibration: &Calibration,
    graph: &HostGraph,
    encoded: &Encoded,
    reconstruction: &[f32],
) -> Vec<(String, f32)> {
    let baselines = Baselines::new(recipe, calibration);
    score_nodes(recipe, &baselines, 1.0, graph, encoded, reconstruction)
        .into_iter()
        .zip(graph.nodes())
        .filter(|(_, node)| can_be_suspect(&node.kind))
        .map(|(score, node)| (node.id.clone(), score.score))
        .collect()
}

/// Whether nodes of this kind can be a root cause. Resources of the whole host cannot: their
/// pressure is an effect.
pub fn can_be_suspect(kind: &NodeKind) -> bool {
    *kind != NodeKind::System
}
