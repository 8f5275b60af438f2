//! Local Detective's own processes, which are not to be shown, and what it starts as a fault, which is.

use std::{path::Path, process::Command};

use crate::children::*;

/// A shell that does nothing, in a file of that name, with arguments.
fn start(folder: &Path, name: &str, arguments: &[&str]) -> Kept {
    let program = folder.join(name);
    if !program.exists() {
        // By another process: a child of another test could inherit a descriptor that writes it, and then it cannot be run.
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        assert!(Command::new("cp").arg(shell).arg(&program).status().unwrap().success());
    }
    Kept::start(Command::new(program).args(["-c", "kill -STOP $$"]).args(arguments))
}

#[test]
fn our_own_programs_are_not_shown_but_what_a_fault_starts_is() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["detective", "detective-producer", "detective-trainer", "detective-scorer"];
    let own = names.map(|name| start(folder.path(), name, &["up"]));
    let starter = start(folder.path(), "detective", &["fault", "start"]);
    let fault = start(folder.path(), "detective", &["fault", "part"]);
    let other = start(folder.path(), "detective-story", &["up"]);
    let snapshot = sweeper().sweep().unwrap();
    let name = |kept: &Kept| Some(node(&snapshot, process(&snapshot, kept.pid())?).name.as_str());
    assert_eq!((name(&fault), name(&other)), (Some("detective"), Some("detective-story")));
    assert_eq!((own.each_ref().map(name), name(&starter)), ([None; 4], None));
}
