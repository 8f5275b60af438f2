//! From a wanted rate of false alarms to a threshold.

use graph::threshold::{LIMITS, for_classic, for_rate};

fn sweeps(scores: &[f32]) -> Vec<Vec<(String, f32)>> {
    scores.iter().map(|score| vec![("p:1".to_owned(), *score)]).collect()
}

#[test]
fn a_quiet_host_has_the_least_threshold_and_a_noisy_one_the_most() {
    assert_eq!(for_rate(&sweeps(&[0.1; 20]), 1.0, 1.0), LIMITS.0);
    let noisy: Vec<f32> = (0..40).map(|at| if at % 8 < 2 { 30.0 } else { 1.0 }).collect();
    assert_eq!(for_rate(&sweeps(&noisy), 1.0, 1.0), LIMITS.1);
}

#[test]
fn nothing_held_back_takes_the_most() {
    assert_eq!(for_rate(&[], 1.0, 1.0), LIMITS.1);
}

#[test]
fn one_sweep_alone_does_not_persist() {
    let mut spike = vec![0.1; 20];
    spike[10] = 50.0;
    assert_eq!(for_rate(&sweeps(&spike), 1.0, 1.0), LIMITS.0);
}

#[test]
fn fewer_false_alarms_take_a_higher_threshold() {
    let noise: Vec<f32> = (0..200_u32).map(|at| 5.6 + 0.2 * ((at * 7919) % 100) as f32 / 100.0).collect();
    let (daily, hourly) = (for_rate(&sweeps(&noise), 1.0, 1.0), for_rate(&sweeps(&noise), 1.0, 24.0));
    assert!(daily > hourly, "{daily} is not above {hourly}");
}

#[test]
fn the_originals_threshold_is_the_95th_percentile() {
    let errors = (0..=100).map(|error| error as f32).collect();
    assert_eq!(for_classic(errors), 95.0);
}
