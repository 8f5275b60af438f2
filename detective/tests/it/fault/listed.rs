//! What is told of faults before they are started.

use serde_json::Value;

use faults::catalogue;

use crate::running::detective;

fn said(args: &[&str]) -> String {
    let output = detective(args).env("DETECTIVE_SHOP", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_list_tells_what_is_not_here() {
    let text = said(&["fault", "list"]);
    assert!(text.lines().any(|line| line.starts_with("flock ") && line.contains("lock")), "{text}");
    let line = text.lines().find(|line| line.starts_with("stopped-worker ")).unwrap();
    assert!(line.ends_with("; needs the shop (not here)"), "{line}");
}

#[test]
fn the_list_can_be_read_by_programs() {
    let list: Value = serde_json::from_str(&said(&["fault", "list", "--json"])).unwrap();
    assert_eq!(list.as_array().unwrap().len(), catalogue::all().count());
    let stopped = list.as_array().unwrap().iter().find(|fault| fault["name"] == "stopped-worker").unwrap();
    assert_eq!((&stopped["here"], &stopped["needs"][0]["here"]), (&Value::Bool(false), &Value::Bool(false)));
}

#[test]
fn a_fault_is_shown() {
    let shown = said(&["fault", "show", "flock"]);
    for wanted in ["to blame", "log-rotator", "undone", "needs         nothing"] {
        assert!(shown.contains(wanted), "{shown}");
    }
    let harmless = said(&["fault", "show", "deploy"]);
    assert!(
        harmless.contains("nobody: it must raise nothing") && harmless.contains("the shop (not here)"),
        "{harmless}"
    );
}

#[test]
fn what_is_missing_is_said_with_a_remedy() {
    let output =
        detective(&["fault", "start", "stopped-worker"]).env("DETECTIVE_SHOP", "/nonexistent").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("the fault needs the shop, found none"), "{said}");
    assert!(said.contains("hint: start it: `deploy/demo/shop start`"), "{said}");
}
