//! What is seen with few rights: what may not be read is missing with the reason, and never zero.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use schemas::GraphSnapshot;

use crate::children::*;

/// The environment variable that says that the rights are gone already, who holds and who waits, and what is closed even to root: a
/// sandbox can be such.
const INSIDE: &str = "PRODUCER_TEST_WITHOUT_RIGHTS";

const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const CAPABLE: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all,+sys_ptrace,+dac_read_search",
    "--ambient-caps=-all,+sys_ptrace,+dac_read_search",
];

/// A shell that has a lock, its child that waits for it, and the signals of which something is denied to root.
struct Scene {
    holder: i64,
    waiter: i64,
    denied_to_root: Vec<String>,
}

/// Runs the test once more by way of `wrapper`, with a `proc` of its own if options are given, and there returns the scene.
fn with_rights(test: &str, wrapper: &[&str], proc_options: Option<&str>) -> Option<Scene> {
    if let Ok(told) = std::env::var(INSIDE) {
        let mut words = told.split(' ').map(str::to_owned);
        let mut pid = || words.next().unwrap().parse().unwrap();
        return Some(Scene { holder: pid(), waiter: pid(), denied_to_root: words.collect() });
    }
    let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let lock = folder.path().join("lock");
    // Once the shell is killed the waiter has the lock, and ends.
    let script = format!("exec 9>{0}; flock 9; flock {0} true 9>&- & echo ready; read line", lock.display());
    let (shell, _input) = Kept::ready(&script);
    let (snapshot, waiter) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, shell.pid())?;
        let wait = snapshot.edges.iter().find(|edge| edge.kind == "waits-for" && edge.target as usize == at)?;
        node(snapshot, wait.source as usize).pid
    });
    // Nobody may not enter every directory that a build can be in.
    let program = folder.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mount = proc_options.map_or("true".to_owned(), |options| format!("mount -t proc -o {options} proc /proc"));
    let status = Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"])
        .args(wrapper)
        .arg(program)
        .args([&format!("rights::{test}"), "--exact", "--ignored"])
        .env(INSIDE, format!("{} {waiter} {}", shell.pid(), all_denied(&snapshot).join(" ")))
        .current_dir("/")
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    None
}

fn look() -> GraphSnapshot {
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    sweeper.sweep().unwrap()
}

/// What is denied for as long as rights are; locks of other tests come and go.
fn all_denied(snapshot: &GraphSnapshot) -> Vec<String> {
    let denied = snapshot.coverage.iter().filter(|gap| gap.reason == "denied" && !gap.signal.starts_with("lock-"));
    denied.map(|gap| gap.signal.clone()).collect()
}

/// How often a signal was denied.
fn denied(snapshot: &GraphSnapshot, signal: &str) -> i64 {
    let gap = snapshot.coverage.iter().find(|gap| gap.signal == signal && gap.reason == "denied");
    gap.map_or(0, |gap| gap.count)
}

#[track_caller]
fn assert_sees_all(scene: &Scene) {
    let snapshot = look();
    let (holder, waiter) = (process(&snapshot, scene.holder).unwrap(), process(&snapshot, scene.waiter).unwrap());
    for column in ["fds", "sockets", "read_bytes", "write_bytes", "blocked_ms"] {
        assert!(value(&snapshot, column, holder).is_some(), "{column}");
    }
    assert_eq!(value(&snapshot, "blocks_tasks", holder), Some(1.0));
    assert!(edge(&snapshot, waiter, "waits-for", holder).is_some());
    let denied = all_denied(&snapshot);
    assert!(denied.iter().all(|signal| scene.denied_to_root.contains(signal)), "{denied:?}");
}

#[test]
#[ignore = "needs root"]
fn root_sees_all() {
    if let Some(scene) = with_rights("root_sees_all", &[], None) {
        assert_sees_all(&scene);
    }
}

#[test]
#[ignore = "needs root"]
fn two_capabilities_show_all_that_root_sees() {
    if let Some(scene) = with_rights("two_capabilities_show_all_that_root_sees", CAPABLE, None) {
        assert_sees_all(&scene);
    }
}

#[test]
#[ignore = "needs root"]
fn two_capabilities_see_through_a_proc_that_hides_processes() {
    let test = "two_capabilities_see_through_a_proc_that_hides_processes";
    if let Some(scene) = with_rights(test, CAPABLE, Some("hidepid=2")) {
        assert_sees_all(&scene);
    }
}

#[test]
#[ignore = "needs root"]
fn what_may_not_be_read_is_denied_and_not_zero() {
    let Some(scene) = with_rights("what_may_not_be_read_is_denied_and_not_zero", NOBODY, None) else { return };
    let snapshot = look();
    for pid in [scene.holder, scene.waiter] {
        let at = process(&snapshot, pid).unwrap();
        let columns = ["fds", "sockets", "read_bytes", "write_bytes", "blocked_ms", "blocks_ms", "blocks_tasks"];
        for column in columns {
            let seen = (value(&snapshot, column, at), missing(&snapshot, column, at));
            assert_eq!(seen, (None, Some("denied")), "{column} of {}", node(&snapshot, at).name);
        }
        assert!(node(&snapshot, at).role.starts_with("- "), "{}", node(&snapshot, at).role);
        // What everybody may read is there.
        for column in ["cpu_pct", "memory_rss", "run_delay_pct", "threads"] {
            assert!(value(&snapshot, column, at).is_some(), "{column}");
        }
    }
    for signal in ["executable", "network-namespace", "fd", "io", "syscall", "lock-waiter"] {
        assert!(denied(&snapshot, signal) > 0, "{signal}: {:?}", snapshot.coverage);
    }
    // Of others the kernel tells the limits in their files alone.
    for signal in ["process", "process-hidden", "limits"] {
        assert_eq!(denied(&snapshot, signal), 0, "{signal}");
    }
}

#[test]
#[ignore = "needs root"]
fn processes_that_are_hidden_are_counted() {
    let test = "processes_that_are_hidden_are_counted";
    let Some(scene) = with_rights(test, NOBODY, Some("hidepid=2")) else { return };
    let snapshot = look();
    assert_eq!(process(&snapshot, scene.holder), None);
    assert!(denied(&snapshot, "process-hidden") > 2, "{:?}", snapshot.coverage);
}

#[test]
#[ignore = "needs root"]
fn processes_that_are_listed_and_closed_are_denied() {
    let test = "processes_that_are_listed_and_closed_are_denied";
    let Some(scene) = with_rights(test, NOBODY, Some("hidepid=1")) else { return };
    let snapshot = look();
    assert_eq!(process(&snapshot, scene.holder), None);
    assert!(denied(&snapshot, "process") > 2, "{:?}", snapshot.coverage);
    assert_eq!(denied(&snapshot, "process-hidden"), 0);
}
