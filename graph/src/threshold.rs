//! From a wanted rate of false alarms to a threshold.

use std::collections::HashMap;

use crate::scale::quantile;

/// The least and the most that a threshold may be, in spreads. A quiet quarter of an hour says nothing of what a day brings, so
/// however quiet it was, less than the least is no alarm; and however noisy, a value at the clamp is one.
pub const LIMITS: (f32, f32) = (5.5, 7.5);

const TAIL_FROM: f64 = 0.9;

/// The threshold at which healthy sweeps alarm `wanted_per_day` times a day.
///
/// `sweeps` holds the node scores of consecutive held-back sweeps. An alarm needs a node to be above the threshold in two of three
/// sweeps, so what counts in a sweep is the largest, over nodes, of each node's second largest score in the last three. Its tail is
/// taken as exponential beyond the 90th percentile (peaks over threshold with shape 0; Siffer et al., KDD 2017).
pub fn for_rate(sweeps: &[Vec<(String, f32)>], interval_s: f64, wanted_per_day: f64) -> f32 {
    let mut peaks: Vec<f32> =
        (0..sweeps.len()).map(|end| persistent_peak(&sweeps[end.saturating_sub(2)..=end])).collect();
    let Some(tail_from) = quantile(&mut peaks, TAIL_FROM) else { return LIMITS.1 };
    let excesses: Vec<f32> = peaks.iter().filter(|peak| **peak > tail_from).map(|peak| peak - tail_from).collect();
    let mean_excess = excesses.iter().sum::<f32>() / (excesses.len().max(1)) as f32;
    let per_day = 86_400.0 / interval_s.max(0.001);
    let beyond = (excesses.len() as f64 / peaks.len() as f64 * per_day / wanted_per_day.max(1e-6)).max(1.0);
    (tail_from + mean_excess * beyond.ln() as f32).clamp(LIMITS.0, LIMITS.1)
}

fn persistent_peak(last: &[Vec<(String, f32)>]) -> f32 {
    let mut two_largest: HashMap<&str, (f32, f32)> = HashMap::new();
    for (node, score) in last.iter().flatten() {
        let (first, second) = two_largest.entry(node).or_default();
        *second = second.max(score.min(*first));
        *first = first.max(*score);
    }
    two_largest.values().map(|(_, second)| *second).fold(0.0, f32::max)
}

/// The original's threshold: the 95th percentile of the nodes' errors.
pub fn for_classic(mut errors: Vec<f32>) -> f32 {
    quantile(&mut errors, 0.95).unwrap_or(f32::MAX)
}
