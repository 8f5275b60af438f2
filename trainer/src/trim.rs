//! Leaving out of healthy windows what is trouble by the measure of the rest.
//!
//! A bad minute among the first snapshots must not become what is normal, and it can hide: where a process shows only
//! in that minute, or its spread is fitted to it, nothing deviates. So each stretch of time is judged by what the
//! *others* call normal.

use std::collections::HashMap;

use graph::{HostGraph, Profile, Recipe, Scaler, anomaly, features, scale, threshold};
use schemas::Calibration;

/// Stretches of time. A tenth at most may go, and a bad minute of that length lies within three stretches.
const STRETCHES: usize = 10;
/// At most one snapshot in so many is left out.
const AT_MOST_ONE_IN: usize = 10;
/// Of more snapshots a bad minute is too small a part to move a median or a 99th percentile.
const WORTH_WHILE: usize = 150;

/// Drops the snapshots that would have alarmed, had the rest been all that was learned: the worst first, a tenth at
/// most. `graphs` are ordered by host, then by time, and stay so. Returns how many were dropped.
pub(crate) fn drop_the_worst(recipe: &Recipe, graphs: &mut Vec<HostGraph>) -> usize {
    if recipe.profile == Profile::Classic || !(2 * STRETCHES..=WORTH_WHILE).contains(&graphs.len()) {
        return 0;
    }
    let badness = badness(recipe, graphs);
    let mut bad: Vec<usize> = (0..graphs.len()).filter(|&at| badness[at] > threshold::LIMITS.1).collect();
    bad.sort_by(|&a, &b| badness[b].total_cmp(&badness[a]));
    bad.truncate(graphs.len() / AT_MOST_ONE_IN);
    let mut at = 0;
    graphs.retain(|_| {
        at += 1;
        !bad.contains(&(at - 1))
    });
    bad.len()
}

/// The persistent peak of each snapshot, by what the snapshots outside its stretch and the two beside it call normal.
fn badness(recipe: &Recipe, graphs: &mut [HostGraph]) -> Vec<f32> {
    let n_graphs = graphs.len();
    let starts: Vec<usize> = (0..=STRETCHES).map(|stretch| stretch * n_graphs / STRETCHES).collect();
    let length = |stretch: usize| starts[stretch % STRETCHES + 1] - starts[stretch % STRETCHES];
    let mut badness = vec![0.0; n_graphs];
    for before in 0..STRETCHES {
        // The three stretches stand first and the others follow, in one slice.
        let judged = length(before)..length(before) + length(before + 1);
        let roles = scale::fit(recipe, &graphs[judged.end + length(before + 2)..]);
        let others = Calibration { threshold: 1.0, roles, pressure_p99: Vec::new() };
        let scores: Vec<_> = graphs[judged].iter().map(|graph| scores(recipe, &others, graph)).collect();
        let first = starts[(before + 1) % STRETCHES];
        for at in 0..scores.len() {
            badness[first + at] = persistent_peak(&scores, at);
        }
        graphs.rotate_left(length(before));
    }
    badness
}

/// Scores without a model: it explains nothing.
fn scores(recipe: &Recipe, calibration: &Calibration, graph: &HostGraph) -> HashMap<String, f32> {
    let encoded = features::encode(recipe, &Scaler::of(recipe, calibration), graph);
    let nothing = vec![0.0; encoded.x.len()];
    anomaly::unscaled_scores(recipe, calibration, graph, &encoded, &nothing).into_iter().collect()
}

/// The largest score that a node has in this sweep and in one beside it: a moment's peak is no trouble.
fn persistent_peak(scores: &[HashMap<String, f32>], at: usize) -> f32 {
    let beside = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| scores.get(at));
    let also = |node: &str| beside.clone().filter_map(|sweep| sweep.get(node)).copied().fold(0.0, f32::max);
    scores[at].iter().map(|(node, score)| score.min(also(node))).fold(0.0, f32::max)
}
