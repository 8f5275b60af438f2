//! Local Detective's own processes are excluded from snapshots; fault helpers and programs that
//! only have the same names are not.

use std::{os::unix::process::CommandExt, path::Path, process::Command};

use producer::Sweeper;
use schemas::GraphSnapshot;

use crate::{children::*, helpers::start_helper_with};

const PROGRAMS: [&str; 4] = ["detective", "detective-producer", "detective-trainer", "detective-scorer"];

/// Copies a program. Another process does it: a child of a concurrent test could inherit a writable
/// descriptor of the copy, and then it could not be executed.
fn copy(program: &Path, to: &Path) {
    assert!(Command::new("cp").arg(program).arg(to).status().unwrap().success());
}

/// A shell that does nothing, copied to a file of that name.
fn shell(folder: &Path, name: &str, arguments: &[&str]) -> Command {
    let program = folder.join(name);
    if !program.exists() {
        copy(&std::fs::canonicalize("/bin/sh").unwrap(), &program);
    }
    let mut command = Command::new(program);
    command.args(["-c", "kill -STOP $$"]).args(arguments);
    command
}

fn start(folder: &Path, name: &str, arguments: &[&str]) -> ChildGuard {
    ChildGuard::start(&mut shell(folder, name, arguments))
}

fn is_shown(snapshot: &GraphSnapshot, child: &ChildGuard) -> bool {
    process(snapshot, child.pid()).is_some()
}

fn own_count(snapshot: &GraphSnapshot) -> i64 {
    snapshot.coverage.iter().filter(|entry| entry.signal == "own-process").map(|entry| entry.count).sum()
}

#[test]
fn programs_that_only_have_the_name_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let others = PROGRAMS.map(|name| start(folder.path(), name, &["up"]));
    let snapshot = sweeper().sweep().unwrap();
    assert_eq!(others.each_ref().map(|child| is_shown(&snapshot, child)), [true; 4]);
    assert_eq!(own_count(&snapshot), 1, "this process");
}

#[test]
fn programs_that_the_settings_list_are_excluded_and_fault_helpers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let own = start(folder.path(), "scorer", &["up"]);
    let starter = start(folder.path(), "scorer", &["fault", "start"]);
    let fault = start(folder.path(), "scorer", &["fault", "helper"]);
    let mut producer = producer();
    producer.sweep.own_programs = format!("/nowhere:{}", folder.path().join("scorer").display());
    let snapshot = Sweeper::new(producer).unwrap().sweep().unwrap();
    assert_eq!([&own, &starter, &fault].map(|child| is_shown(&snapshot, child)), [false, false, true]);
    assert_eq!(own_count(&snapshot), 3);
}

/// Runs in a process whose executable is called `detective`. Returns which of these are shown: a
/// scorer next to it, a scorer elsewhere, a fault helper next to it.
pub fn sweep_beside_own(elsewhere: &Path) -> String {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let children = [
        start(&folder, "detective-scorer", &[]),
        start(elsewhere, "detective-scorer", &[]),
        start(&folder, "detective-scorer", &["fault", "helper"]),
    ];
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let shown = children.each_ref().map(|child| is_shown(&before, child));
    // An upgrade replaces the file while the old program runs.
    std::fs::remove_file(folder.join("detective-scorer")).unwrap();
    let after = sweeper.sweep().unwrap();
    format!("{shown:?} {}", is_shown(&after, &children[0]))
}

#[test]
fn programs_next_to_the_own_one_are_excluded_even_while_they_are_upgraded() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, elsewhere] = folders.each_ref().map(|folder| folder.path());
    copy(&std::env::current_exe().unwrap(), &own.join("detective"));
    let part = format!("sweep-beside-own {}", elsewhere.display());
    let (_helper, shown) = start_helper_with(Command::new(own.join("detective")), &part);
    assert_eq!(shown, "[false, true, true] false");
}

#[test]
#[ignore = "needs root"]
fn a_program_of_another_user_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let other = ChildGuard::start(shell(folder.path(), "scorer", &[]).uid(65534));
    let mut producer = producer();
    producer.sweep.own_programs = folder.path().join("scorer").display().to_string();
    let snapshot = Sweeper::new(producer).unwrap().sweep().unwrap();
    assert!(is_shown(&snapshot, &other));
}
