//! Removal of outliers from healthy snapshots before training.
//!
//! A short disturbance during learning must not become part of the baseline. Statistics that
//! include it can hide it: if a process exists only during the disturbance, or its spread is fitted
//! to it, nothing deviates. So each segment of time is scored against a baseline from the *other*
//! segments, as in cross-validation.

use std::collections::HashMap;

use graph::{Baselines, HostGraph, Profile, Recipe, anomaly, baseline, features, threshold};
use schemas::Calibration;

/// Segments of time. At most a tenth of the snapshots is removed, and a disturbance of that length
/// lies within three segments.
const SEGMENTS: usize = 10;
/// At most one snapshot in this many is removed.
const MAX_REMOVED_DIVISOR: usize = 10;
/// Largest number of snapshots to search for outliers. In a larger set, a short disturbance is too
/// small a share to move a median or a 99th percentile.
const MAX_SNAPSHOTS: usize = 150;

/// Removes snapshots that would have alarmed with a baseline from the others: the worst first, at
/// most a tenth of all. Returns the number of removed snapshots.
///
/// `graphs` must be ordered by host, then by time; the order is kept.
pub(crate) fn remove(recipe: &Recipe, graphs: &mut Vec<HostGraph>) -> usize {
    if recipe.profile == Profile::Classic || !(2 * SEGMENTS..=MAX_SNAPSHOTS).contains(&graphs.len()) {
        return 0;
    }
    let scores = outlier_scores(recipe, graphs);
    let mut outliers: Vec<usize> = (0..graphs.len()).filter(|&index| scores[index] > threshold::MAX).collect();
    outliers.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    outliers.truncate(graphs.len() / MAX_REMOVED_DIVISOR);
    let mut index = 0;
    graphs.retain(|_| {
        index += 1;
        !outliers.contains(&(index - 1))
    });
    outliers.len()
}

/// Persistent peak of each snapshot, with a baseline from all segments but its own and the two
/// beside it.
fn outlier_scores(recipe: &Recipe, graphs: &mut [HostGraph]) -> Vec<f32> {
    let n_graphs = graphs.len();
    let starts: Vec<usize> = (0..=SEGMENTS).map(|segment| segment * n_graphs / SEGMENTS).collect();
    let length = |segment: usize| starts[segment % SEGMENTS + 1] - starts[segment % SEGMENTS];
    let mut outlier_scores = vec![0.0; n_graphs];
    for before in 0..SEGMENTS {
        // `graphs` is rotated: the left-out segments `before`, the scored one and the one after it
        // come first, and the rest follows as one slice.
        let scored = length(before)..length(before) + length(before + 1);
        let roles = baseline::fit(recipe, &graphs[scored.end + length(before + 2)..]);
        let baseline = Calibration { threshold: 1.0, roles, pressure_p99: Vec::new() };
        let scores: Vec<_> = graphs[scored].iter().map(|graph| node_scores(recipe, &baseline, graph)).collect();
        let first = starts[(before + 1) % SEGMENTS];
        for index in 0..scores.len() {
            outlier_scores[first + index] = persistent_peak(&scores, index);
        }
        graphs.rotate_left(length(before));
    }
    outlier_scores
}

/// Anomaly scores by node id, without a model: the reconstruction is 0 everywhere.
fn node_scores(recipe: &Recipe, baseline: &Calibration, graph: &HostGraph) -> HashMap<String, f32> {
    let encoded = features::encode(recipe, &Baselines::new(recipe, baseline), graph);
    let reconstruction = vec![0.0; encoded.x.len()];
    anomaly::unscaled_scores(recipe, baseline, graph, &encoded, &reconstruction).into_iter().collect()
}

/// The largest score that any node reaches in sweep `index` and in an adjacent sweep. A peak of one
/// sweep does not count.
fn persistent_peak(scores: &[HashMap<String, f32>], index: usize) -> f32 {
    let adjacent = [index.checked_sub(1), Some(index + 1)].into_iter().flatten().filter_map(|at| scores.get(at));
    let adjacent_score = |node: &str| adjacent.clone().filter_map(|sweep| sweep.get(node)).copied().fold(0.0, f32::max);
    scores[index].iter().map(|(node, score)| score.min(adjacent_score(node))).fold(0.0, f32::max)
}
