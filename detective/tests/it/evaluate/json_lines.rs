//! Cases of graphs that did not come from a host: a shop with a slow database.

use std::{fs::File, io::Write, path::Path};

use expect_test::expect;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{check_close, evaluate, evaluate_json, is_well_formed_svg};

const SERVICES: [&str; 4] = ["gateway", "shop", "database", "cache"];

/// One line of JSON. The latency of each service is multiplied by its factor.
fn line(minute: usize, phase: &str, latency_factors: [f64; 4]) -> Value {
    let node = |(at, service): (usize, &&str)| {
        let usual = 0.02 + 0.001 * ((minute * (at + 3)) % 7) as f64;
        let load = 20.0 + ((minute + at) % 5) as f64;
        json!({"id": service, "type": "pod", "features": {"Latency(s)": usual * latency_factors[at], "CpuUsageRate(%)": load}})
    };
    json!({
        "case": "any", "t": 1_700_000_000 + 60 * minute, "phase": phase,
        "nodes": SERVICES.iter().enumerate().map(node).collect::<Vec<_>>(),
        // There is no node `mail`.
        "edges": [
            ["gateway", "shop", "calls"], ["shop", "database", "calls"], ["shop", "cache", "calls"],
            ["shop", "mail", "calls"],
        ],
    })
}

fn text(lines: impl Iterator<Item = Value>) -> String {
    lines.map(|line| format!("{line}\n")).collect()
}

const HEALTHY: [f64; 4] = [1.0; 4];
const SLOW_DATABASE: [f64; 4] = [40.0, 60.0, 50.0, 1.0];

fn write_healthy(folder: &Path) {
    std::fs::write(folder.join("healthy.jsonl"), text((0..60).map(|minute| line(minute, "healthy", HEALTHY)))).unwrap();
}

fn case(name: &str, root_cause: &str) -> Value {
    json!({"case": name, "split": "open", "system": "shop", "fault": "latency@database", "healthy": "healthy",
           "root_cause": [root_cause], "candidates": SERVICES, "symptom": {"node": "gateway", "metric": "latency"}})
}

fn write_cases(folder: &Path, cases: &[Value]) {
    std::fs::write(folder.join("cases.json"), Value::from(cases.to_vec()).to_string()).unwrap();
}

/// A directory with two cases: one file is plain, the other compressed.
pub fn shop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_healthy(folder.path());
    let slow = text((100..106).map(|minute| line(minute, "faulty", SLOW_DATABASE)));
    std::fs::write(folder.path().join("plain.jsonl"), &slow).unwrap();
    let mut compressed =
        GzEncoder::new(File::create(folder.path().join("compressed.jsonl.gz")).unwrap(), Compression::fast());
    compressed.write_all(slow.as_bytes()).unwrap();
    compressed.finish().unwrap();
    write_cases(folder.path(), &[case("plain", "database"), case("compressed", "database")]);
    folder
}

#[test]
fn blame_finds_the_slow_database_behind_slower_callers_and_random_has_its_expected_values() {
    let folder = shop();
    let found = evaluate_json(folder.path(), &[]);
    let detective = &found["rankers"]["detective"];
    let random = &found["rankers"]["random"];
    assert_eq!((&detective["n"], &random["n"]), (&2.into(), &2.into()));
    for figure in ["AC@1", "AC@3", "AC@5", "Avg@5", "MRR", "alarm_recall"] {
        check_close(&detective[figure], 1.0);
    }
    // The gateway, which waits for the shop, deviates most.
    check_close(&found["rankers"]["zscore"]["AC@1"], 0.0);
    check_close(&random["AC@1"], 0.25);
    check_close(&random["AC@3"], 0.75);
    check_close(&random["AC@5"], 1.0);
    check_close(&random["Avg@5"], (0.25 + 0.5 + 0.75 + 1.0 + 1.0) / 5.0);
    check_close(&random["MRR"], (1.0 + 1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 4.0);
    assert_eq!((&random["alarm_recall"], &random["false_alarms_per_host_day"]), (&Value::Null, &Value::Null));
    for ranker in ["detective", "classic", "zscore", "random"] {
        let ranker = &found["rankers"][ranker];
        assert_eq!(ranker["strict@5"], Value::Null, "affected nodes are not known");
        assert_eq!(ranker["per_fault"]["latency"]["n"], 2, "the name of a fault ends at `@`");
        assert_eq!(ranker["by_system"]["shop"]["n"], 2);
        assert_eq!(ranker["time_to_alarm_s"], Value::Null);
    }
    check_close(&detective["healthy_host_days"], 20.0 / 1440.0);
}

#[test]
fn given_the_symptom_its_dependencies_rank_first() {
    let folder = shop();
    let symptom = |node: &str| {
        let mut cases = [case("plain", "database"), case("compressed", "database")];
        cases.iter_mut().for_each(|case| case["symptom"] = json!({"node": node}));
        write_cases(folder.path(), &cases);
        evaluate_json(folder.path(), &["--hint"])
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
fn two_runs_print_the_same() {
    let folder = shop();
    let args = ["--only", "compressed", "--json"];
    let first = evaluate(folder.path(), &args);
    let second = evaluate(folder.path(), &args);
    assert!(first.status.success() && first.stdout == second.stdout);
    let found: Value = serde_json::from_slice(&first.stdout).unwrap();
    let cases: Vec<&str> =
        found["rankers"]["random"]["cases"].as_array().unwrap().iter().map(|it| it["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["compressed"]);
}

#[test]
fn rankers_do_not_see_the_ground_truth() {
    let folder = shop();
    let scores = |cause: &str| {
        write_cases(folder.path(), &[case("plain", cause)]);
        let found = evaluate_json(folder.path(), &[]);
        ["detective", "classic", "zscore"].map(|ranker| found["rankers"][ranker]["cases"][0].clone())
    };
    let of_database = scores("database");
    let of_cache = scores("cache");
    for (one, other) in of_database.iter().zip(&of_cache) {
        assert_ne!(one["rank"], other["rank"]);
        assert_eq!(one["alarm"], other["alarm"]);
    }
    assert_eq!(of_cache[0]["ranked_above"][0], "database", "the ranking does not depend on the right answer");
}

#[test]
fn a_case_without_a_healthy_file_learns_from_its_own_healthy_phase() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = (0..40).map(|minute| line(minute, "healthy", HEALTHY));
    let faulty = (40..45).map(|minute| line(minute, "faulty", SLOW_DATABASE));
    std::fs::write(folder.path().join("alone.jsonl"), text(healthy.chain(faulty))).unwrap();
    let mut alone = case("alone", "database");
    alone["healthy"] = Value::Null;
    write_cases(folder.path(), &[alone]);
    check_close(&evaluate_json(folder.path(), &[])["rankers"]["detective"]["AC@1"], 1.0);
}

#[test]
fn the_default_output_is_a_table_and_pictures_are_svg() {
    let folder = shop();
    let pictures = folder.path().join("pictures");
    let output = evaluate(folder.path(), &["--pictures", pictures.to_str().unwrap()]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    for wanted in
        ["Without the symptom", "Given the node that shows the symptom", "2 cases", "alarm recall", "latency (2)"]
    {
        assert!(stdout.contains(wanted), "expected `{wanted}` in:\n{stdout}");
    }
    let head: String = stdout.lines().skip(2).take(2).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        2 cases                           detective            classic              zscore               random
        AC@1                              1.00 (1.00-1.00)     0.00 (0.00-0.00)     0.00 (0.00-0.00)     0.25 (0.25-0.25)
    "#]]
    .assert_eq(&head);
    for name in ["ac.svg", "ac-hint.svg"] {
        assert!(is_well_formed_svg(&std::fs::read_to_string(pictures.join(name)).unwrap()), "{name}");
    }
}
