//! Recordings of a few faults of the shop, on which the detective must not get worse.
//!
//! `deploy/demo/corpus.toml` is the plan to record them again. The bounds are below the figures at
//! the time of recording, because training differs a little between processors; each of the eight
//! cases counts for an eighth.

use std::path::Path;

use serde_json::Value;

use crate::processes::detective;

#[test]
fn the_figures_of_recorded_faults_stay_above_their_bounds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let output = detective(&["evaluate", corpus.to_str().unwrap(), "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let figure = |ranker: &str, name: &str| found["rankers"][ranker][name].as_f64().unwrap();
    assert_eq!(found["rankers"]["detective"]["n"], 8);
    assert!(figure("detective", "AC@1") >= 0.75, "{found:#}");
    assert!(
        figure("detective", "AC@1") > figure("zscore", "AC@1")
            && figure("detective", "AC@1") > figure("classic", "AC@1")
    );
    assert!(figure("detective", "alarm_recall") >= 0.875, "{found:#}");
    assert!(figure("detective", "first_incident_names_it") >= 0.75, "{found:#}");
    assert_eq!(found["rankers"]["detective"]["false_alarms"], 0, "{found:#}");
}

#[test]
fn the_corpus_is_small_and_its_faults_have_client_impact() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let sizes = std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 1_000_000);
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(corpus.join("cases.json")).unwrap()).unwrap();
    for case in cases.iter().filter(|case| case["harmless"] == false) {
        // Recorded before the key became `client_impact`.
        let impact = |when: &str, what: &str| case["hurt"][when][what].as_f64().unwrap();
        let is_slower = impact("during", "p95_ms") > 2.0 * impact("before", "p95_ms");
        assert!(is_slower || impact("during", "errors") > impact("before", "errors"), "{case:#}");
    }
}
