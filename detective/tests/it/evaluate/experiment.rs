//! A plan that is executed on this host, without a shop.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use crate::processes::{detective, lock_host};

/// A plan with a workload that does nothing, and one fault that needs no shop.
fn write_plan(folder: &Path, only: &str) -> std::path::PathBuf {
    let plan = folder.join("plan.toml");
    let text = format!(
        r#"
        system = "bare"
        [workload]
        start = ["true"]
        stop = ["touch", "{}"]
        settle = "0s"
        [healthy]
        learn = "4s"
        evaluate = "1s"
        [benign]
        repeats = 0
        [faults]
        only = ["{only}"]
        duration = "3s"
        before = "1s"
        after = "1s"
        "#,
        folder.join("stopped").display()
    );
    std::fs::write(&plan, text).unwrap();
    plan
}

fn run_plan(folder: &Path, only: &str) -> std::process::Output {
    let plan = write_plan(folder, only);
    let cases = folder.join("cases");
    detective(&["evaluate", cases.to_str().unwrap(), "--plan", plan.to_str().unwrap(), "--json"])
        .env("DETECTIVE__SWEEP__INTERVAL", "100ms")
        .env("DETECTIVE__TRAINING__EPOCHS", "5")
        .env("DETECTIVE_WORKLOAD", folder.join("none"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_plan_records_cases_that_can_be_evaluated_again() {
    let _host = lock_host();
    let folder = tempfile::tempdir().unwrap();
    let output = run_plan(folder.path(), "flock");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["rankers"]["detective"]["per_fault"]["flock"]["n"], 1);
    assert!(folder.path().join("stopped").exists(), "the workload is stopped");
    let directory = folder.path().join("cases");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(directory.join("cases.json")).unwrap()).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!(names, ["01-no-fault", "02-flock"]);
    let fault = &cases[1];
    let time = |key: &str| fault[key].as_f64().unwrap();
    assert_eq!((&fault["family"], &fault["root_cause"][0]["name"]), (&"locks".into(), &"log-rotator".into()));
    assert!((2.5..8.0).contains(&(time("t_end") - time("t_inject"))), "{fault:#}");
    let again = detective(&["evaluate", directory.to_str().unwrap(), "--json"])
        .env("DETECTIVE__TRAINING__EPOCHS", "5")
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), found);
}

#[test]
fn an_unknown_fault_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_plan(folder.path(), "flok");
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("expected one of the faults cpu-hog, ") && stderr.contains("found `flok`"), "{stderr}");
    assert!(!folder.path().join("stopped").exists() && !folder.path().join("cases").exists());
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cases")).unwrap();
    std::fs::write(folder.path().join("cases/precious"), "").unwrap();
    let output = run_plan(folder.path(), "flock");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("/cases` is not empty") && stderr.contains("hint: name a new folder"), "{stderr}");
}
