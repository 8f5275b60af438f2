//! `fault list` and `fault show`, and the refusal of a fault whose requirements are not met.

use serde_json::Value;

use faults::catalogue;

use crate::processes::detective;

fn stdout(args: &[&str]) -> String {
    let output = detective(args).env("DETECTIVE_WORKLOAD", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_list_marks_missing_requirements() {
    let text = stdout(&["fault", "list"]);
    assert!(text.lines().any(|line| line.starts_with("flock ") && line.contains("flock on")), "{text}");
    let line = text.lines().find(|line| line.starts_with("stopped-worker ")).unwrap();
    assert!(line.ends_with("; requires a workload with a worker (missing)"), "{line}");
}

#[test]
fn the_list_as_json_has_all_faults_and_their_requirements() {
    let list: Value = serde_json::from_str(&stdout(&["fault", "list", "--json"])).unwrap();
    assert_eq!(list.as_array().unwrap().len(), catalogue::all().count());
    let stopped = list.as_array().unwrap().iter().find(|fault| fault["name"] == "stopped-worker").unwrap();
    assert_eq!(stopped["available"], Value::Bool(false));
    assert_eq!(stopped["requirements"][0]["met"], Value::Bool(false));
}

#[test]
fn a_fault_and_a_benign_change_are_described() {
    let fault = stdout(&["fault", "show", "flock"]);
    for expected in ["root cause", "log-rotator", "undo", "requires      nothing"] {
        assert!(fault.contains(expected), "{fault}");
    }
    let benign = stdout(&["fault", "show", "deploy"]);
    assert!(
        benign.contains("none: it must not open an incident") && benign.contains("a workload with `deploy` (missing)"),
        "{benign}"
    );
}

#[test]
fn a_fault_whose_requirement_is_missing_is_refused_with_a_hint() {
    let output =
        detective(&["fault", "start", "stopped-worker"]).env("DETECTIVE_WORKLOAD", "/nonexistent").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && stderr.contains("the fault requires a workload with a worker, found none"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: start the shop: `deploy/demo/shop start`"), "{stderr}");
}
