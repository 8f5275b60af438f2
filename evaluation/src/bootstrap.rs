//! Confidence intervals by the cluster bootstrap.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Number of resamples.
pub const RESAMPLES: usize = 1000;
/// Seed of the resamples. All rankers use the same ones, so that they are comparable.
pub const SEED: u64 = 7;
/// Share of the resamples whose figures are within the interval.
const CONFIDENCE: f64 = 0.95;

/// Groups the indices of cases by key, in the order of the keys. Cases with the same key repeat
/// each other. If all cases have one key, each is its own cluster: the differences between
/// repetitions are then all that is known.
pub fn clusters<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<Vec<usize>> {
    let mut clusters: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, key) in keys.enumerate() {
        clusters.entry(key).or_default().push(index);
    }
    let mut clusters: Vec<Vec<usize>> = clusters.into_values().collect();
    if clusters.len() == 1 {
        clusters = clusters.concat().into_iter().map(|index| vec![index]).collect();
    }
    clusters
}

/// The 95 % interval of a figure by the percentile bootstrap (Efron and Tibshirani, An Introduction
/// to the Bootstrap, 1993, chapter 13): cases are drawn with replacement, and the figure is
/// computed for each draw. Cases of a cluster are drawn together (Davison and Hinkley, Bootstrap
/// Methods and their Application, 1997, section 3.8).
///
/// `figure` receives the indices of the drawn cases. Draws for which it is `None` do not count.
/// Returns `None` for fewer than two clusters.
pub fn confidence_interval(clusters: &[Vec<usize>], figure: impl Fn(&[usize]) -> Option<f64>) -> Option<[f64; 2]> {
    if clusters.len() < 2 {
        return None;
    }
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut drawn = Vec::new();
    let mut figures = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.clear();
        for _ in clusters {
            drawn.extend_from_slice(&clusters[random.random_range(0..clusters.len())]);
        }
        figures.extend(figure(&drawn));
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some([quantile(&mut figures, tail)?, quantile(&mut figures, 1.0 - tail)?])
}

/// The `q`-quantile by linear interpolation. Sorts `values`.
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let low = values[position.floor() as usize];
    let high = values[position.ceil() as usize];
    Some(low + (high - low) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_contains_the_figure_and_narrows_with_more_cases() {
        let interval = |n: usize| {
            let hits: Vec<f64> = (0..n).map(|index| if index % 4 == 0 { 1.0 } else { 0.0 }).collect();
            let mean = |drawn: &[usize]| Some(drawn.iter().map(|&index| hits[index]).sum::<f64>() / n as f64);
            confidence_interval(&clusters(0..n), mean).unwrap()
        };
        let [low, high] = interval(40);
        let [narrow_low, narrow_high] = interval(4000);
        assert!(low < 0.25 && 0.25 < high && narrow_low < 0.25 && 0.25 < narrow_high);
        assert!(narrow_high - narrow_low < (high - low) / 5.0);
        // By the normal distribution: 0.25 +- 1.96 sqrt(0.25 * 0.75 / 40).
        assert!((low - 0.116).abs() < 0.03 && (high - 0.384).abs() < 0.03, "{low} to {high}");
        assert_eq!(interval(40), [low, high], "reproducible");
    }

    #[test]
    fn one_case_has_no_interval() {
        assert_eq!(confidence_interval(&clusters(0..1), |_| Some(1.0)), None);
        assert_eq!(confidence_interval(&clusters(0..5), |_| None), None);
    }

    #[test]
    fn repetitions_do_not_narrow_an_interval() {
        let interval = |times: usize| {
            let mean =
                |drawn: &[usize]| drawn.iter().filter(|&&index| index / times < 5).count() as f64 / drawn.len() as f64;
            confidence_interval(&clusters((0..20 * times).map(|index| index / times)), |drawn| Some(mean(drawn)))
                .unwrap()
        };
        assert_eq!(interval(1), interval(10));
        assert_eq!(clusters(["a", "b", "a"].into_iter()), [vec![0, 2], vec![1]]);
        assert_eq!(clusters(["a", "a"].into_iter()), [vec![0], vec![1]], "all cases repeat one fault");
    }
}
