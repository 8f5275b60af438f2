//! The robust z-score, and columns in which less is worse.

use graph::{Baselines, HostGraph, NodeScore, Profile, Recipe, baseline, recipe::ColumnScale, zscore};
use schemas::{Calibration, ColumnSpec};

use crate::fixture::graph;

const QUIET: &str = "process db cpu_pct=50 memory_growth=0
                     process web cpu_pct=50 memory_growth=0";

fn scores(host: &str, threshold: f32) -> Vec<NodeScore> {
    let graphs: Vec<HostGraph> = (0..20).map(|_| graph(QUIET)).collect();
    let recipe = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot));
    let calibration = Calibration { roles: baseline::fit(&recipe, &graphs), ..Calibration::default() };
    zscore::score_nodes(&recipe, &Baselines::new(&recipe, &calibration), threshold, &graph(host))
}

#[test]
fn the_score_is_the_largest_distance_from_the_median_on_either_side() {
    // A percentage's spread is at least 35 % of its centre.
    let score_of_cpu = |percent: &str| scores(&QUIET.replacen("cpu_pct=50", percent, 1), 1.0)[0].score;
    assert_eq!((score_of_cpu("cpu_pct=85"), score_of_cpu("cpu_pct=15"), score_of_cpu("cpu_pct=50")), (2.0, 2.0, 0.0));
    let both = scores("process db cpu_pct=85 memory_growth=1000000000\nprocess web cpu_pct=50 memory_growth=0", 1.0);
    assert!(both[0].score > 8.0, "the encoder's clamp does not apply: {}", both[0].score);
    assert_eq!(both[0].deviations[0].observed, 1e9);
    assert_eq!(scores(&QUIET.replacen("cpu_pct=50", "cpu_pct=85", 1), 4.0)[0].score, 0.5, "in units of the threshold");
}

#[test]
fn a_lower_success_rate_is_abnormal_in_steps_of_the_remaining_failures() {
    let column = ColumnSpec { name: "a".into(), unit: "percent-good".into(), form: "gauge".into() };
    let scale = ColumnScale::for_column(&column);
    let spreads = |percent: f32| (scale.transform(percent) - scale.transform(100.0)) / scale.floor();
    assert!(scale.abnormal_part(spreads(99.0)) < 3.0, "one failure in a hundred is no alarm alone");
    assert!(scale.abnormal_part(spreads(50.0)) > 7.5);
    assert_eq!(scale.abnormal_part(-spreads(50.0)), 0.0);
    assert!((scale.invert(scale.transform(97.0)) - 97.0).abs() < 1e-3);
}
