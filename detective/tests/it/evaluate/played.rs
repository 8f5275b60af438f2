//! A plan that is played on this very host, without a shop: what is recorded of it, and what is judged then.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use crate::running::{alone, detective};

/// Plans a workload that does nothing, and one fault that needs none.
fn write_plan(folder: &Path, only: &str) -> std::path::PathBuf {
    let plan = folder.join("plan.toml");
    let text = format!(
        r#"
        system = "bare"
        [workload]
        start = ["true"]
        stop = ["touch", "{}"]
        settles = "0s"
        [healthy]
        learn = "4s"
        judged = "1s"
        [harmless]
        repeats = 0
        [faults]
        only = ["{only}"]
        lasts = "3s"
        before = "1s"
        after = "1s"
        "#,
        folder.join("stopped").display()
    );
    std::fs::write(&plan, text).unwrap();
    plan
}

fn play(folder: &Path, only: &str) -> std::process::Output {
    let (plan, played) = (write_plan(folder, only), folder.join("played"));
    detective(&["evaluate", played.to_str().unwrap(), "--plan", plan.to_str().unwrap(), "--json"])
        .env("DETECTIVE__SWEEP__INTERVAL", "100ms")
        .env("DETECTIVE__TRAINING__EPOCHS", "5")
        .env("DETECTIVE_SHOP", folder.join("none"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_plan_leaves_cases_that_are_judged_and_can_be_judged_again() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let output = play(folder.path(), "flock");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["rankers"]["detective"]["per_fault"]["flock"]["n"], 1);
    assert!(folder.path().join("stopped").exists(), "the workload is stopped");
    let played = folder.path().join("played");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(played.join("cases.json")).unwrap()).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!(names, ["01-nothing", "02-flock"]);
    let (fault, time) = (&cases[1], |of: &str| cases[1][of].as_f64().unwrap());
    assert_eq!((&fault["family"], &fault["root_cause"][0]["name"]), (&"locks".into(), &"log-rotator".into()));
    assert!((2.5..8.0).contains(&(time("t_end") - time("t_inject"))), "{fault:#}");
    let again = detective(&["evaluate", played.to_str().unwrap(), "--json"])
        .env("DETECTIVE__TRAINING__EPOCHS", "5")
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), found);
}

#[test]
fn a_fault_that_there_is_not_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let output = play(folder.path(), "flok");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no fault is called `flok`; there are cpu-hog, "), "{said}");
    assert!(!folder.path().join("stopped").exists() && !folder.path().join("played").exists());
}

#[test]
fn a_folder_with_something_in_it_is_not_played_into() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("played")).unwrap();
    std::fs::write(folder.path().join("played/precious"), "").unwrap();
    let output = play(folder.path(), "flock");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/played` is not empty") && said.contains("hint: name a new one"), "{said}");
}
