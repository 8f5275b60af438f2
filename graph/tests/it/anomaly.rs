//! What a reconstruction says of each node.

use graph::{HostGraph, NodeScore, Profile, Recipe, Scaler, anomaly, features, scale};
use schemas::Calibration;

use crate::fixture::graph;

const QUIET: &str = "process db cpu_pct=5 memory_growth=0 stopped=0 blocked_ms=0 running=0
                     process web cpu_pct=20 memory_growth=0 stopped=0 blocked_ms=0 running=0
                     web > db connects";

/// Scores under a model that explains nothing (`None`) or everything.
fn judge(host: &str, explains_all: bool) -> Vec<NodeScore> {
    let graphs: Vec<HostGraph> = (0..20).map(|_| graph(QUIET)).collect();
    let recipe = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot));
    let calibration = Calibration { roles: scale::fit(&recipe, &graphs), ..Calibration::default() };
    let scaler = Scaler::of(&recipe, &calibration);
    let host = graph(host);
    let encoded = features::encode(&recipe, &scaler, &host);
    let reconstruction = if explains_all { encoded.x.clone() } else { vec![0.0; encoded.x.len()] };
    anomaly::judge(&recipe, &scaler, 6.0, &host, &encoded, &reconstruction)
}

#[test]
fn a_quiet_host_does_not_alarm() {
    assert!(judge(QUIET, false).iter().all(|score| score.score < 0.1 && score.deviations.is_empty()));
}

#[test]
fn each_kind_of_trouble_alarms_and_says_what_deviates() {
    for trouble in ["cpu_pct=100", "memory_growth=20000000", "stopped=1", "blocked_ms=2000"] {
        let (name, _) = trouble.split_once('=').unwrap();
        let scores = judge(
            &QUIET.replacen(&format!("{name}=0"), trouble, 1).replacen(
                "cpu_pct=5",
                trouble,
                usize::from(name == "cpu_pct"),
            ),
            false,
        );
        assert!(scores[0].score > 1.0, "{trouble} scores {}", scores[0].score);
        assert!(scores[1].score < 0.5, "the other is not blamed for {trouble}");
        assert_eq!(scores[0].deviations.len(), 1, "{trouble}");
    }
}

#[test]
fn less_than_usual_of_what_is_only_trouble_when_high_does_not_alarm() {
    let scores = judge(&QUIET.replace("cpu_pct=20", "cpu_pct=0"), false);
    assert!(scores[1].score < 0.5);
}

#[test]
fn running_is_what_processes_do() {
    let scores = judge(&QUIET.replace("running=0", "running=1"), false);
    assert!(scores.iter().all(|score| score.score < 0.1));
}

#[test]
fn what_the_neighbourhood_explains_counts_less_but_is_not_hidden() {
    let host = QUIET.replace("cpu_pct=5", "cpu_pct=100");
    let (unexplained, explained) = (judge(&host, false)[0].score, judge(&host, true)[0].score);
    assert!(explained < 0.8 * unexplained, "{explained} is not less than {unexplained}");
    assert!(explained > 0.6 * unexplained, "a model cannot hide a deviation");
}

#[test]
fn a_stranger_that_is_merely_large_does_not_alarm() {
    let host = format!("{QUIET}\nprocess stranger cpu_pct=1 memory_growth=0 stopped=0 blocked_ms=0 running=1");
    assert!(judge(&host, false)[2].score < 0.5);
}
