//! From a rate of false alarms to a threshold.

use std::collections::HashMap;

use crate::statistics::quantile;

/// The lowest threshold, in spreads. A quiet quarter of an hour does not show what a day brings, so
/// a lower score is no alarm, however quiet the host was.
pub const MIN: f32 = 5.5;
/// The highest threshold, in spreads. It is below the deviation at which features are clamped, so
/// that an extreme value raises an alarm even on a host with noisy healthy data.
pub const MAX: f32 = 7.5;

const TAIL_QUANTILE: f64 = 0.9;
/// An alarm needs two of this many sweeps.
const PERSISTENCE_SWEEPS: usize = 3;

/// The threshold at which healthy sweeps alarm `alarms_per_day` times a day.
///
/// `sweeps` holds the node scores of consecutive sweeps that the model was not fitted to. An alarm
/// needs a node above the threshold in two of three sweeps, so the peak of a sweep is the largest,
/// over nodes, of each node's second largest score in the last three. The tail of the peaks is
/// taken as exponential beyond the 90th percentile (peaks over threshold with shape 0; Siffer et
/// al., KDD 2017).
pub fn for_rate(sweeps: &[Vec<(String, f32)>], interval_s: f64, alarms_per_day: f64) -> f32 {
    let mut peaks: Vec<f32> = (0..sweeps.len())
        .map(|end| persistent_peak(&sweeps[(end + 1).saturating_sub(PERSISTENCE_SWEEPS)..=end]))
        .collect();
    let Some(tail_start) = quantile(&mut peaks, TAIL_QUANTILE) else { return MAX };
    let excesses: Vec<f32> = peaks.iter().filter(|peak| **peak > tail_start).map(|peak| peak - tail_start).collect();
    let mean_excess = excesses.iter().sum::<f32>() / (excesses.len().max(1)) as f32;
    let sweeps_per_day = 86_400.0 / interval_s.max(0.001);
    let tail_per_day = excesses.len() as f64 / peaks.len() as f64 * sweeps_per_day;
    let factor = (tail_per_day / alarms_per_day.max(1e-6)).max(1.0);
    (tail_start + mean_excess * factor.ln() as f32).clamp(MIN, MAX)
}

fn persistent_peak(sweeps: &[Vec<(String, f32)>]) -> f32 {
    let mut two_largest: HashMap<&str, (f32, f32)> = HashMap::new();
    for (node, score) in sweeps.iter().flatten() {
        let (first, second) = two_largest.entry(node).or_default();
        *second = second.max(score.min(*first));
        *first = first.max(*score);
    }
    two_largest.values().map(|(_, second)| *second).fold(0.0, f32::max)
}

/// The threshold of the original design: the 95th percentile of the errors of the nodes.
pub fn for_classic(mut errors: Vec<f32>) -> f32 {
    quantile(&mut errors, 0.95).unwrap_or(f32::MAX)
}
