//! How sure a figure is: the bootstrap.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};

/// How often cases are drawn anew.
pub const RESAMPLES: usize = 1000;
/// Where the random numbers start. The same for all rankers, so that they are compared on the same draws.
pub const SEED: u64 = 7;
/// The part of the draws whose figures lie within an interval.
const COVERED: f64 = 0.95;

/// The indices of cases that repeat each other, by what they repeat, in the order of the keys. Where all repeat one, each stands for
/// itself: how much its repeats differ is all there is to be known.
pub fn repeats<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<Vec<usize>> {
    let mut repeats: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (at, key) in keys.enumerate() {
        repeats.entry(key).or_default().push(at);
    }
    let mut repeats: Vec<Vec<usize>> = repeats.into_values().collect();
    if repeats.len() == 1 {
        repeats = repeats.concat().into_iter().map(|at| vec![at]).collect();
    }
    repeats
}

/// The 95 % interval of a figure by the percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13):
/// cases are drawn with replacement, and the figure is made of each draw anew. Cases that repeat each other are drawn together (the
/// cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). `figure` is given indices of cases;
/// draws of which it makes nothing are left out. None with fewer than two that are not repeats.
pub fn interval(repeats: &[Vec<usize>], figure: impl Fn(&[usize]) -> Option<f64>) -> Option<[f64; 2]> {
    if repeats.len() < 2 {
        return None;
    }
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut drawn = Vec::new();
    let mut figures = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.clear();
        for _ in repeats {
            drawn.extend_from_slice(&repeats[random.random_range(0..repeats.len())]);
        }
        figures.extend(figure(&drawn));
    }
    let tail = (1.0 - COVERED) / 2.0;
    Some([quantile(&mut figures, tail)?, quantile(&mut figures, 1.0 - tail)?])
}

/// The `q`-quantile by linear interpolation; sorts `values`.
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_figure_narrows_with_more_cases_and_is_the_same_each_time() {
        let interval_of = |n: usize| {
            let hits: Vec<f64> = (0..n).map(|at| if at % 4 == 0 { 1.0 } else { 0.0 }).collect();
            interval(&repeats(0..n), |drawn| Some(drawn.iter().map(|&at| hits[at]).sum::<f64>() / n as f64)).unwrap()
        };
        let ([low, high], [narrow_low, narrow_high]) = (interval_of(40), interval_of(4000));
        assert!(low < 0.25 && 0.25 < high && narrow_low < 0.25 && 0.25 < narrow_high);
        assert!(narrow_high - narrow_low < (high - low) / 5.0);
        // Of the normal distribution: 0.25 +- 1.96 sqrt(0.25 * 0.75 / 40).
        assert!((low - 0.116).abs() < 0.03 && (high - 0.384).abs() < 0.03, "{low} to {high}");
        assert_eq!(interval_of(40), [low, high]);
    }

    #[test]
    fn one_case_has_no_interval() {
        assert_eq!(interval(&repeats(0..1), |_| Some(1.0)), None);
        assert_eq!(interval(&repeats(0..5), |_| None), None);
    }

    #[test]
    fn repeats_make_nothing_surer() {
        let interval_of = |times: usize| {
            let mean = |drawn: &[usize]| drawn.iter().filter(|&&at| at / times < 5).count() as f64 / drawn.len() as f64;
            interval(&repeats((0..20 * times).map(|at| at / times)), |drawn| Some(mean(drawn))).unwrap()
        };
        assert_eq!(interval_of(1), interval_of(10));
        assert_eq!(repeats(["a", "b", "a"].into_iter()), [vec![0, 2], vec![1]]);
        assert_eq!(repeats(["a", "a"].into_iter()), [vec![0], vec![1]], "of one fault alone");
    }
}
