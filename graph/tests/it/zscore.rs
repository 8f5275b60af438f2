//! The robust z-score, and columns of which less is trouble.

use graph::{HostGraph, NodeScore, Profile, Recipe, Scaler, recipe::ColumnScale, scale, zscore};
use schemas::{Calibration, ColumnSpec};

use crate::fixture::graph;

const QUIET: &str = "process db cpu_pct=50 memory_growth=0
                     process web cpu_pct=50 memory_growth=0";

fn judge(host: &str, threshold: f32) -> Vec<NodeScore> {
    let graphs: Vec<HostGraph> = (0..20).map(|_| graph(QUIET)).collect();
    let recipe = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot));
    let calibration = Calibration { roles: scale::fit(&recipe, &graphs), ..Calibration::default() };
    zscore::judge(&recipe, &Scaler::of(&recipe, &calibration), threshold, &graph(host))
}

#[test]
fn a_score_is_the_most_extreme_columns_distance_from_the_median_on_either_side() {
    // A percentage's spread is at least 35 % of its centre.
    let of_cpu = |percent: &str| judge(&QUIET.replacen("cpu_pct=50", percent, 1), 1.0)[0].score;
    assert_eq!((of_cpu("cpu_pct=85"), of_cpu("cpu_pct=15"), of_cpu("cpu_pct=50")), (2.0, 2.0, 0.0));
    let both = judge("process db cpu_pct=85 memory_growth=1000000000\nprocess web cpu_pct=50 memory_growth=0", 1.0);
    assert!(both[0].score > 8.0, "it is not cut off where the encoder cuts off: {}", both[0].score);
    assert_eq!(both[0].deviations[0].observed, 1e9);
    assert_eq!(judge(&QUIET.replacen("cpu_pct=50", "cpu_pct=85", 1), 4.0)[0].score, 0.5, "in units of the threshold");
}

#[test]
fn of_what_should_all_be_good_less_is_trouble_and_what_is_left_counts() {
    let column = ColumnSpec { name: "a".into(), unit: "percent-good".into(), form: "gauge".into() };
    let scale = ColumnScale::for_column(&column);
    let spreads = |percent: f32| (scale.transform(percent) - scale.transform(100.0)) / scale.floor();
    assert!(scale.abnormal_part(spreads(99.0)) < 3.0, "one failure in a hundred is no alarm by itself");
    assert!(scale.abnormal_part(spreads(50.0)) > 7.5);
    assert_eq!(scale.abnormal_part(-spreads(50.0)), 0.0);
    assert!((scale.invert(scale.transform(97.0)) - 97.0).abs() < 1e-3);
}
