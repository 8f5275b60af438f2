//! Local Detective's own processes are excluded from snapshots; fault helpers are not.

use std::{path::Path, process::Command};

use crate::children::*;

/// Starts a shell under that file name, with arguments, that does nothing.
fn start(folder: &Path, name: &str, arguments: &[&str]) -> ChildGuard {
    let program = folder.join(name);
    if !program.exists() {
        // Copied by another process: a child of a concurrent test could inherit a writable
        // descriptor of it, and then it could not be executed.
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        assert!(Command::new("cp").arg(shell).arg(&program).status().unwrap().success());
    }
    ChildGuard::start(Command::new(program).args(["-c", "kill -STOP $$"]).args(arguments))
}

#[test]
fn own_programs_are_excluded_and_fault_helpers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["detective", "detective-producer", "detective-trainer", "detective-scorer"];
    let own = names.map(|name| start(folder.path(), name, &["up"]));
    let starter = start(folder.path(), "detective", &["fault", "start"]);
    let fault = start(folder.path(), "detective", &["fault", "helper"]);
    let other = start(folder.path(), "detective-story", &["up"]);
    let snapshot = sweeper().sweep().unwrap();
    let name = |kept: &ChildGuard| Some(node(&snapshot, process(&snapshot, kept.pid())?).name.as_str());
    assert_eq!((name(&fault), name(&other)), (Some("detective"), Some("detective-story")));
    assert_eq!((own.each_ref().map(name), name(&starter)), ([None; 4], None));
}
