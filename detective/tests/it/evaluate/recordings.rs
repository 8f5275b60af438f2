//! Recorded cases: a CPU hog that starves two workers, and a benign change.

use std::{fs::File, path::Path};

use schemas::{Column, GraphSnapshot, Node, Timestamp, container::Writer};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{check_close, evaluate_json, is_well_formed_svg};

const FIRST: i64 = 1_767_225_600_000;
const NAMES: [&str; 5] = ["hog", "worker-a", "worker-b", "clock", "mail"];
const HOG: usize = 0;

/// The sweep at a second.
fn snapshot(second: i64, is_hog_running: bool) -> GraphSnapshot {
    let node = |(at, name): (usize, &&str)| Node {
        id: format!("p:{at}"),
        kind: "process".into(),
        role: format!("/usr/bin/{name}"),
        name: (*name).to_owned(),
        pid: Some(100 + at as i64),
        start_time: Some(at as i64),
        ..Node::default()
    };
    let usual = |at: usize| 3.0 + ((second + at as i64) % 4) as f32;
    let cpu = (0..NAMES.len()).map(|at| if is_hog_running && at == HOG { 99.0 } else { usual(at) }).collect();
    let is_worker = |at: usize| (1..=2).contains(&at);
    let delay = (0..NAMES.len()).map(|at| if is_hog_running && is_worker(at) { 100.0 } else { usual(at) }).collect();
    GraphSnapshot {
        host: "h".to_owned(),
        cohort: "h".to_owned(),
        run: "r".to_owned(),
        sequence: second,
        started_at: Timestamp(FIRST + second * 1000 - 20),
        ended_at: Timestamp(FIRST + second * 1000),
        interval_ms: 1000,
        nodes: NAMES.iter().enumerate().map(node).collect(),
        columns: vec![column("cpu_pct", cpu), column("run_delay_pct", delay)],
        ..GraphSnapshot::default()
    }
}

fn column(name: &str, values: Vec<f32>) -> Column {
    let name = name.to_owned();
    let unit = "percent".into();
    let form = "rate".into();
    Column { name, unit, form, nodes: (0..values.len() as i32).collect(), values, missing: Vec::new() }
}

fn record(path: &Path, snapshots: impl Iterator<Item = GraphSnapshot>) {
    let mut writer = Writer::create(File::create(path).unwrap()).unwrap();
    snapshots.for_each(|snapshot| writer.append(&snapshot).unwrap());
    writer.finish_block().unwrap();
}

pub fn seconds(second: i64) -> f64 {
    (FIRST / 1000 + second) as f64
}

fn process(at: usize) -> Value {
    json!({"kind": "process", "name": NAMES[at], "pid": 100 + at, "path": null, "endpoint": null})
}

pub fn host() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    record(&path("healthy.avro"), (0..60).map(|second| snapshot(second, false)));
    record(&path("01-hog-1.avro"), (100..150).map(|second| snapshot(second, (110..140).contains(&second))));
    record(&path("02-deploy-1.avro"), (200..260).map(|second| snapshot(second, false)));
    let cases = json!([
        {"case": "01-hog-1", "system": "shop", "fault": "hog", "family": "cpu", "harmless": false, "healthy": "healthy",
         "t_inject": seconds(110), "t_end": seconds(139), "root_cause": [process(HOG)],
         "victims": [process(1), process(2)], "client_impact": null},
        {"case": "02-deploy-1", "system": "shop", "fault": "deploy", "family": "benign", "harmless": true,
         "healthy": "healthy", "t_inject": seconds(210), "t_end": seconds(240), "root_cause": [], "victims": [],
         "client_impact": null},
    ]);
    std::fs::write(path("cases.json"), cases.to_string()).unwrap();
    folder
}

#[test]
fn the_hog_ranks_above_the_workers_that_it_starves_and_the_benign_change_opens_no_incident() {
    let folder = host();
    let pictures = folder.path().join("pictures");
    let found = evaluate_json(folder.path(), &["--pictures", pictures.to_str().unwrap()]);
    let detective = &found["rankers"]["detective"];
    assert_eq!(detective["n"], 1, "a benign change has no root cause");
    for figure in ["AC@1", "strict@5", "alarm_recall", "first_incident_names_it"] {
        check_close(&detective[figure], 1.0);
    }
    // An incident needs alarms in two of three sweeps.
    check_close(&detective["time_to_alarm_s"]["median"], 1.0);
    check_close(&detective["false_alarms_per_host_day"], 0.0);
    check_close(&detective["healthy_host_days"], 60.0 / 86_400.0);
    check_close(&detective["per_family"]["cpu"]["AC@1"], 1.0);
    assert_eq!(detective["per_fault"]["deploy"]["n"], 0);
    assert_eq!(detective["per_fault"]["deploy"]["AC@1"], Value::Null);
    check_close(&detective["per_fault"]["deploy"]["false_alarms_per_host_day"], 0.0);
    // The hog is before both workers in a third of all orders, and always among the first five.
    check_close(&found["rankers"]["random"]["strict@5"], 1.0 / 3.0);
    check_close(&found["rankers"]["random"]["AC@1"], 0.2);
    let timeline = std::fs::read_to_string(pictures.join("timeline-01-hog-1.svg")).unwrap();
    assert!(is_well_formed_svg(&timeline), "{timeline}");
    for wanted in ["root cause: hog[100]", "alarm threshold", "fault begins", "fault ends", "first alarm after 1.0 s"] {
        assert!(timeline.contains(wanted), "expected `{wanted}` in:\n{timeline}");
    }
}

#[test]
fn an_alarm_that_continues_in_the_next_recording_is_one_false_alarm() {
    let folder = host();
    let benign_case = |name: &str, from: i64, until: i64| {
        record(
            &folder.path().join(format!("{name}.avro")),
            (from..until).map(|second| snapshot(second, second >= 215)),
        );
        json!({"case": name, "system": "shop", "fault": null, "harmless": true, "healthy": "healthy",
               "t_inject": seconds(from), "t_end": seconds(until), "root_cause": [], "victims": []})
    };
    let cases = json!([benign_case("01-no-fault", 200, 230), benign_case("02-no-fault", 230, 260)]);
    std::fs::write(folder.path().join("cases.json"), cases.to_string()).unwrap();
    let detective = &evaluate_json(folder.path(), &[])["rankers"]["detective"];
    assert_eq!((&detective["false_alarms"], &detective["false_alarm_episodes"]), (&1.into(), &1.into()));
    assert_eq!(detective["false_alarm_cases"], json!([{"case": "01-no-fault", "named": ["hog[100]"]}]));
}

#[test]
fn the_ranking_is_that_of_the_last_twelve_seconds_of_the_fault() {
    let folder = host();
    // The recording goes on until the host is healthy again.
    record(
        &folder.path().join("01-hog-1.avro"),
        (100..200).map(|second| snapshot(second, (110..140).contains(&second))),
    );
    check_close(&evaluate_json(folder.path(), &["--only", "01-hog-1"])["rankers"]["detective"]["AC@1"], 1.0);
}
