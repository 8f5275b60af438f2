//! Sweeps with few rights: unreadable values are missing with a reason, never zero.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use schemas::GraphSnapshot;

use crate::children::*;

/// Environment variable that is set once the rights are dropped. It carries the pids of holder and
/// waiter, and the signals that are denied even to root, as in some sandboxes.
const INSIDE: &str = "PRODUCER_TEST_WITHOUT_RIGHTS";

const UNPRIVILEGED: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const CAPABLE: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all,+sys_ptrace,+dac_read_search",
    "--ambient-caps=-all,+sys_ptrace,+dac_read_search",
];

/// A shell with a lock, its child that waits for the lock, and the signals that are denied to root.
struct LockProcesses {
    holder: i64,
    waiter: i64,
    denied_to_root: Vec<String>,
}

/// Runs the test again through `wrapper`, with a `proc` mount of its own if options are given, and
/// returns the lock's processes there.
fn with_rights(test: &str, wrapper: &[&str], proc_options: Option<&str>) -> Option<LockProcesses> {
    if let Ok(words) = std::env::var(INSIDE) {
        let mut words = words.split(' ').map(str::to_owned);
        let mut pid = || words.next().unwrap().parse().unwrap();
        return Some(LockProcesses { holder: pid(), waiter: pid(), denied_to_root: words.collect() });
    }
    let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let lock = folder.path().join("lock");
    // Once the shell is killed, the waiter gets the lock and ends.
    let script = format!("exec 9>{0}; flock 9; flock {0} true 9>&- & echo ready; read line", lock.display());
    let (shell, _input) = ChildGuard::ready(&script);
    let (snapshot, waiter) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, shell.pid())?;
        let wait = snapshot.edges.iter().find(|edge| edge.kind == "waits-for" && edge.target as usize == at)?;
        node(snapshot, wait.source as usize).pid
    });
    // The user `nobody` may not enter every directory that a build can be in.
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

fn second_snapshot() -> GraphSnapshot {
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    sweeper.sweep().unwrap()
}

/// Signals denied by rights alone; locks of concurrent tests come and go.
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
fn assert_sees_all(lock: &LockProcesses) {
    let snapshot = second_snapshot();
    let holder = process(&snapshot, lock.holder).unwrap();
    let waiter = process(&snapshot, lock.waiter).unwrap();
    for column in ["fds", "sockets", "read_bytes", "write_bytes", "blocked_ms"] {
        assert!(value(&snapshot, column, holder).is_some(), "{column}");
    }
    assert_eq!(value(&snapshot, "blocks_others_tasks", holder), Some(1.0));
    assert!(edge(&snapshot, waiter, "waits-for", holder).is_some());
    let denied = all_denied(&snapshot);
    assert!(denied.iter().all(|signal| lock.denied_to_root.contains(signal)), "{denied:?}");
}

#[test]
#[ignore = "needs root"]
fn root_can_read_everything() {
    if let Some(lock) = with_rights("root_can_read_everything", &[], None) {
        assert_sees_all(&lock);
    }
}

#[test]
#[ignore = "needs root"]
fn two_capabilities_show_everything_that_root_can_read() {
    if let Some(lock) = with_rights("two_capabilities_show_everything_that_root_can_read", CAPABLE, None) {
        assert_sees_all(&lock);
    }
}

#[test]
#[ignore = "needs root"]
fn two_capabilities_suffice_for_a_proc_mounted_with_hidepid() {
    let test = "two_capabilities_suffice_for_a_proc_mounted_with_hidepid";
    if let Some(lock) = with_rights(test, CAPABLE, Some("hidepid=2")) {
        assert_sees_all(&lock);
    }
}

#[test]
#[ignore = "needs root"]
fn unreadable_values_are_denied_and_not_zero() {
    let Some(lock) = with_rights("unreadable_values_are_denied_and_not_zero", UNPRIVILEGED, None) else { return };
    let snapshot = second_snapshot();
    for pid in [lock.holder, lock.waiter] {
        let at = process(&snapshot, pid).unwrap();
        let columns =
            ["fds", "sockets", "read_bytes", "write_bytes", "blocked_ms", "blocks_others_ms", "blocks_others_tasks"];
        for column in columns {
            let seen = (value(&snapshot, column, at), missing(&snapshot, column, at));
            assert_eq!(seen, (None, Some("denied")), "{column} of {}", node(&snapshot, at).name);
        }
        assert!(node(&snapshot, at).role.starts_with("- "), "{}", node(&snapshot, at).role);
        // World-readable values are present.
        for column in ["cpu_pct", "memory_rss", "run_delay_pct", "threads"] {
            assert!(value(&snapshot, column, at).is_some(), "{column}");
        }
    }
    for signal in ["executable", "network-namespace", "fd", "io", "syscall", "lock-waiter"] {
        assert!(denied(&snapshot, signal) > 0, "{signal}: {:?}", snapshot.coverage);
    }
    // For other users' processes, limits are readable only from their files.
    for signal in ["process", "process-hidden", "limits"] {
        assert_eq!(denied(&snapshot, signal), 0, "{signal}");
    }
}

#[test]
#[ignore = "needs root"]
fn hidden_processes_are_counted() {
    let test = "hidden_processes_are_counted";
    let Some(lock) = with_rights(test, UNPRIVILEGED, Some("hidepid=2")) else { return };
    let snapshot = second_snapshot();
    assert_eq!(process(&snapshot, lock.holder), None);
    assert!(denied(&snapshot, "process-hidden") > 2, "{:?}", snapshot.coverage);
}

#[test]
#[ignore = "needs root"]
fn listed_but_unreadable_processes_are_denied() {
    let test = "listed_but_unreadable_processes_are_denied";
    let Some(lock) = with_rights(test, UNPRIVILEGED, Some("hidepid=1")) else { return };
    let snapshot = second_snapshot();
    assert_eq!(process(&snapshot, lock.holder), None);
    assert!(denied(&snapshot, "process") > 2, "{:?}", snapshot.coverage);
    assert_eq!(denied(&snapshot, "process-hidden"), 0);
}
