//! Cases of graphs that did not come from a host: a shop whose database is slow.

use std::{fs::File, io::Write, path::Path};

use expect_test::expect;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{check_close, evaluate, is_well_formed, judged};

const SERVICES: [&str; 4] = ["gateway", "shop", "database", "cache"];

/// A line; `slower` tells by how much each service is slower than usual.
fn line(minute: usize, phase: &str, slower: [f64; 4]) -> Value {
    let node = |(at, service): (usize, &&str)| {
        let usual = 0.02 + 0.001 * ((minute * (at + 3)) % 7) as f64;
        let load = 20.0 + ((minute + at) % 5) as f64;
        json!({"id": service, "type": "pod", "features": {"Latency(s)": usual * slower[at], "CpuUsageRate(%)": load}})
    };
    json!({
        "case": "any", "t": 1_700_000_000 + 60 * minute, "phase": phase,
        "nodes": SERVICES.iter().enumerate().map(node).collect::<Vec<_>>(),
        // Of the mail nothing is ever seen.
        "edges": [["gateway", "shop", "calls"], ["shop", "database", "calls"], ["shop", "cache", "calls"], ["shop", "mail", "calls"]],
    })
}

fn text(lines: impl Iterator<Item = Value>) -> String {
    lines.map(|line| format!("{line}\n")).collect()
}

const WELL: [f64; 4] = [1.0; 4];
const SLOW_DATABASE: [f64; 4] = [40.0, 60.0, 50.0, 1.0];

fn write_healthy(folder: &Path) {
    std::fs::write(folder.join("well.jsonl"), text((0..60).map(|minute| line(minute, "healthy", WELL)))).unwrap();
}

fn case(name: &str, root_cause: &str) -> Value {
    json!({"case": name, "split": "open", "system": "shop", "fault": "latency@database", "healthy": "well",
           "root_cause": [root_cause], "candidates": SERVICES, "symptom": {"node": "gateway", "metric": "latency"}})
}

fn write_cases(folder: &Path, cases: &[Value]) {
    std::fs::write(folder.join("cases.json"), Value::from(cases.to_vec()).to_string()).unwrap();
}

/// One case of each way to keep a file: lines, and lines compressed.
pub fn shop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_healthy(folder.path());
    let slow = text((100..106).map(|minute| line(minute, "faulty", SLOW_DATABASE)));
    std::fs::write(folder.path().join("plain.jsonl"), &slow).unwrap();
    let mut packed = GzEncoder::new(File::create(folder.path().join("packed.jsonl.gz")).unwrap(), Compression::fast());
    packed.write_all(slow.as_bytes()).unwrap();
    packed.finish().unwrap();
    write_cases(folder.path(), &[case("plain", "database"), case("packed", "database")]);
    folder
}

#[test]
fn blame_finds_the_slow_database_behind_those_who_are_slower_and_chance_gives_what_is_expected_of_it() {
    let folder = shop();
    let found = judged(folder.path(), &[]);
    let (detective, random) = (&found["rankers"]["detective"], &found["rankers"]["random"]);
    assert_eq!((&detective["n"], &random["n"]), (&2.into(), &2.into()));
    for figure in ["AC@1", "AC@3", "AC@5", "Avg@5", "MRR", "alarm_recall"] {
        check_close(&detective[figure], 1.0);
    }
    // A gateway that waits for its shop is slowest of all for those who do not ask why.
    check_close(&found["rankers"]["zscore"]["AC@1"], 0.0);
    check_close(&random["AC@1"], 0.25);
    check_close(&random["AC@3"], 0.75);
    check_close(&random["AC@5"], 1.0);
    check_close(&random["Avg@5"], (0.25 + 0.5 + 0.75 + 1.0 + 1.0) / 5.0);
    check_close(&random["MRR"], (1.0 + 1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 4.0);
    assert_eq!((&random["alarm_recall"], &random["false_alarms_per_host_day"]), (&Value::Null, &Value::Null));
    for ranker in ["detective", "classic", "zscore", "random"] {
        let ranker = &found["rankers"][ranker];
        assert_eq!(ranker["strict@5"], Value::Null, "victims are not known");
        assert_eq!(ranker["per_fault"]["latency"]["n"], 2, "a fault is called by what comes before the place");
        assert_eq!(ranker["by_system"]["shop"]["n"], 2);
        assert_eq!(ranker["time_to_alarm_s"], Value::Null);
    }
    check_close(&detective["healthy_host_days"], 20.0 / 1440.0);
}

#[test]
fn who_is_told_the_symptom_looks_at_what_it_depends_on_first() {
    let folder = shop();
    let symptom = |node: &str| {
        let mut cases = [case("plain", "database"), case("packed", "database")];
        cases.iter_mut().for_each(|case| case["symptom"] = json!({"node": node}));
        write_cases(folder.path(), &cases);
        judged(folder.path(), &["--hint"])
    };
    let of_database = symptom("database");
    assert_eq!(of_database["hint"], true);
    for ranker in ["detective", "classic", "zscore", "random"] {
        check_close(&of_database["rankers"][ranker]["AC@1"], 1.0);
    }
    check_close(&of_database["rankers_without_hint"]["random"]["AC@1"], 0.25);
    let of_shop = symptom("shop");
    check_close(&of_shop["rankers"]["random"]["AC@1"], 1.0 / 3.0);
}

#[test]
fn the_same_command_prints_the_same() {
    let folder = shop();
    let args = ["--only", "packed", "--json"];
    let (first, second) = (evaluate(folder.path(), &args), evaluate(folder.path(), &args));
    assert!(first.status.success() && first.stdout == second.stdout);
    let found: Value = serde_json::from_slice(&first.stdout).unwrap();
    let cases: Vec<&str> =
        found["rankers"]["random"]["cases"].as_array().unwrap().iter().map(|it| it["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["packed"]);
}

#[test]
fn who_ranks_never_sees_the_labels() {
    let folder = shop();
    let scores = |cause: &str| {
        write_cases(folder.path(), &[case("plain", cause)]);
        let found = judged(folder.path(), &[]);
        ["detective", "classic", "zscore"].map(|ranker| found["rankers"][ranker]["cases"][0].clone())
    };
    let (of_database, of_cache) = (scores("database"), scores("cache"));
    for (one, other) in of_database.iter().zip(&of_cache) {
        assert_ne!(one["rank"], other["rank"]);
        assert_eq!(one["alarm"], other["alarm"]);
    }
    assert_eq!(of_cache[0]["above"][0], "database", "the database stays first for whoever is said to be right");
}

#[test]
fn a_case_without_a_healthy_stream_learns_from_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = (0..40).map(|minute| line(minute, "healthy", WELL));
    let faulty = (40..45).map(|minute| line(minute, "faulty", SLOW_DATABASE));
    std::fs::write(folder.path().join("alone.jsonl"), text(healthy.chain(faulty))).unwrap();
    let mut alone = case("alone", "database");
    alone["healthy"] = Value::Null;
    write_cases(folder.path(), &[alone]);
    check_close(&judged(folder.path(), &[])["rankers"]["detective"]["AC@1"], 1.0);
}

#[test]
fn people_get_a_table_and_pictures() {
    let folder = shop();
    let pictures = folder.path().join("pictures");
    let output = evaluate(folder.path(), &["--pictures", pictures.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    for wanted in
        ["Not told the symptom", "Told which node shows the symptom", "2 cases", "alarm recall", "latency (2)"]
    {
        assert!(said.contains(wanted), "expected `{wanted}` in:\n{said}");
    }
    let head: String = said.lines().skip(2).take(2).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        2 cases                           detective            classic              zscore               random
        AC@1                              1.00 (1.00-1.00)     0.00 (0.00-0.00)     0.00 (0.00-0.00)     0.25 (0.25-0.25)
    "#]]
    .assert_eq(&head);
    for name in ["ac.svg", "ac-hint.svg"] {
        assert!(is_well_formed(&std::fs::read_to_string(pictures.join(name)).unwrap()), "{name}");
    }
}
