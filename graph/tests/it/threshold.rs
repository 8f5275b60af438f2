//! Thresholds from rates of false alarms.

use graph::threshold::{self, for_classic, for_rate};

fn sweeps(scores: &[f32]) -> Vec<Vec<(String, f32)>> {
    scores.iter().map(|score| vec![("p:1".to_owned(), *score)]).collect()
}

#[test]
fn a_quiet_host_has_the_lowest_threshold_and_a_noisy_one_the_highest() {
    assert_eq!(for_rate(&sweeps(&[0.1; 20]), 1.0, 1.0), threshold::MIN);
    let noisy: Vec<f32> = (0..40).map(|at| if at % 8 < 2 { 30.0 } else { 1.0 }).collect();
    assert_eq!(for_rate(&sweeps(&noisy), 1.0, 1.0), threshold::MAX);
}

#[test]
fn without_sweeps_the_threshold_is_the_highest() {
    assert_eq!(for_rate(&[], 1.0, 1.0), threshold::MAX);
}

#[test]
fn a_single_high_sweep_does_not_raise_the_threshold() {
    let mut spike = vec![0.1; 20];
    spike[10] = 50.0;
    assert_eq!(for_rate(&sweeps(&spike), 1.0, 1.0), threshold::MIN);
}

#[test]
fn a_lower_rate_of_false_alarms_has_a_higher_threshold() {
    let noise: Vec<f32> = (0..200_u32).map(|at| 5.6 + 0.2 * ((at * 7919) % 100) as f32 / 100.0).collect();
    let daily = for_rate(&sweeps(&noise), 1.0, 1.0);
    let hourly = for_rate(&sweeps(&noise), 1.0, 24.0);
    assert!(daily > hourly, "{daily} is not above {hourly}");
}

#[test]
fn the_threshold_of_the_original_design_is_the_95th_percentile() {
    let errors = (0..=100).map(|error| error as f32).collect();
    assert_eq!(for_classic(errors), 95.0);
}
