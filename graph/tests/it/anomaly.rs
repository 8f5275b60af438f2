//! Anomaly scores from reconstructions.

use graph::{Baselines, HostGraph, NodeScore, Profile, Recipe, anomaly, baseline, features};
use schemas::Calibration;

use crate::fixture::graph;

const QUIET: &str = "process db cpu_pct=5 memory_growth=0 stopped=0 blocked_ms=0 running=0
                     process web cpu_pct=20 memory_growth=0 stopped=0 blocked_ms=0 running=0
                     web > db connects";

/// Scores under a model that explains everything or nothing.
fn scores(host: &str, explains_all: bool) -> Vec<NodeScore> {
    let graphs: Vec<HostGraph> = (0..20).map(|_| graph(QUIET)).collect();
    let recipe = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot));
    let calibration = Calibration { roles: baseline::fit(&recipe, &graphs), ..Calibration::default() };
    let baselines = Baselines::new(&recipe, &calibration);
    let host = graph(host);
    let encoded = features::encode(&recipe, &baselines, &host);
    let reconstruction = if explains_all { encoded.x.clone() } else { vec![0.0; encoded.x.len()] };
    anomaly::score_nodes(&recipe, &baselines, 6.0, &host, &encoded, &reconstruction)
}

#[test]
fn a_quiet_host_does_not_alarm() {
    assert!(scores(QUIET, false).iter().all(|score| score.score < 0.1 && score.deviations.is_empty()));
}

#[test]
fn each_abnormal_value_alarms_and_is_the_reported_deviation() {
    for abnormal in ["cpu_pct=100", "memory_growth=20000000", "stopped=1", "blocked_ms=2000"] {
        let (name, _) = abnormal.split_once('=').unwrap();
        let scores = scores(
            &QUIET.replacen(&format!("{name}=0"), abnormal, 1).replacen(
                "cpu_pct=5",
                abnormal,
                usize::from(name == "cpu_pct"),
            ),
            false,
        );
        assert!(scores[0].score > 1.0, "{abnormal} scores {}", scores[0].score);
        assert!(scores[1].score < 0.5, "the other node stays normal under {abnormal}");
        assert_eq!(scores[0].deviations.len(), 1, "{abnormal}");
    }
}

#[test]
fn a_value_below_its_baseline_does_not_alarm_if_only_high_is_abnormal() {
    let scores = scores(&QUIET.replace("cpu_pct=20", "cpu_pct=0"), false);
    assert!(scores[1].score < 0.5);
}

#[test]
fn a_running_process_is_normal() {
    let scores = scores(&QUIET.replace("running=0", "running=1"), false);
    assert!(scores.iter().all(|score| score.score < 0.1));
}

#[test]
fn a_deviation_that_the_neighbourhood_explains_counts_less_but_is_not_hidden() {
    let host = QUIET.replace("cpu_pct=5", "cpu_pct=100");
    let unexplained = scores(&host, false)[0].score;
    let explained = scores(&host, true)[0].score;
    assert!(explained < 0.8 * unexplained, "{explained} is not less than {unexplained}");
    assert!(explained > 0.6 * unexplained, "a model cannot hide a deviation");
}

#[test]
fn an_unknown_role_that_is_merely_large_does_not_alarm() {
    let host = format!("{QUIET}\nprocess stranger cpu_pct=1 memory_growth=0 stopped=0 blocked_ms=0 running=1");
    assert!(scores(&host, false)[2].score < 0.5);
}
