//! `detective up` from learning to the root cause of a fault, and after a crash.

use std::{
    collections::HashSet,
    fs::File,
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, flock};
use schemas::{EventKind, RootCauseEvent};

use crate::processes::{ScopedChild, UpProcess, output};

/// Starts a process that waits for the lock of a file.
pub fn lock_waiter(path: &str) -> ScopedChild {
    ScopedChild(Command::new("flock").args([path, "true"]).stdin(Stdio::null()).spawn().unwrap())
}

/// Creates a file and starts a process that holds its lock.
pub fn lock_holder(path: &str) -> ScopedChild {
    File::create(path).unwrap();
    let holder = ScopedChild::shell(&format!("exec 9>{path}; flock 9; exec sleep 600"));
    while File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok()) {
        std::thread::yield_now();
    }
    holder
}

pub fn has_root_cause(event: &RootCauseEvent, pid: i64) -> bool {
    event.initiating.as_ref().is_some_and(|suspect| suspect.pid == Some(pid))
}

#[test]
fn the_holder_of_a_lock_is_the_root_cause_and_a_crash_neither_loses_nor_repeats_events() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let locked = folder.path().join("app.log");
    let locked = locked.to_str().unwrap();
    let up = UpProcess::start(&data);
    up.wait_until_ready();

    let holder = lock_holder(locked);
    let waiters = [lock_waiter(locked), lock_waiter(locked)];
    let opened = up.event(|event| event.event == EventKind::Opened && has_root_cause(event, holder.pid()));
    let suspect = opened.initiating.clone().unwrap();
    assert_eq!(suspect.path.as_deref(), Some(locked));
    assert!(!suspect.why.is_empty());
    let mut expected: HashSet<i64> = waiters.iter().map(ScopedChild::pid).collect();
    let named = |event: &RootCauseEvent| event.impact.iter().filter_map(|suspect| suspect.pid).collect::<Vec<_>>();
    for pid in named(&opened) {
        expected.remove(&pid);
    }
    if !expected.is_empty() {
        // A waiter that a later sweep found is in an update.
        let updated = up.event(|event| event.incident == opened.incident && event.event == EventKind::Updated);
        assert!(expected.iter().all(|pid| named(&updated).contains(pid)), "{updated:?}");
    }
    let answer = up.wait_for("/api/suspects?window=12s", |status, _| status == 200);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["alarm"], true);

    up.kill();
    let up = UpProcess::start(&data);
    // The model is kept, so that it does not learn again.
    let ready = up.wait_for("/readyz", |status, _| status == 200);
    assert!(ready.contains("\"state\":\"scoring\""), "{ready}");
    drop((holder, waiters));
    up.event(|event| event.incident == opened.incident && event.event == EventKind::Resolved);
    let (code, took) = up.terminate();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 5, "it took {took:?} to end");

    let listed = output(&["alerts", "--json", "--data", data.to_str().unwrap()]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let events: Vec<RootCauseEvent> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_ours: Vec<EventKind> =
        events.iter().filter(|event| event.incident == opened.incident).map(|event| event.event).collect();
    let count = |kind| of_ours.iter().filter(|event| **event == kind).count();
    assert_eq!((count(EventKind::Opened), count(EventKind::Resolved)), (1, 1), "{of_ours:?}");
    let explained = output(&["explain", &opened.incident[..8], "--data", data.to_str().unwrap()]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains(locked) && explained.contains("/proc/locks"), "{explained}");
}

#[test]
fn a_stopped_process_is_the_root_cause() {
    let folder = tempfile::tempdir().unwrap();
    let worker = ScopedChild::shell("while :; do sleep 0.2; done");
    let up = UpProcess::start(folder.path());
    up.wait_until_ready();
    let pid = rustix::process::Pid::from_child(&worker.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let event = up.event(|event| has_root_cause(event, worker.pid()));
    assert!(event.summary.contains("stopped by a signal"), "{}", event.summary);
}

#[test]
fn the_smallest_number_of_snapshots_gives_a_model_and_a_baseline_follows() {
    let folder = tempfile::tempdir().unwrap();
    let up = UpProcess::start_with(folder.path(), "10");
    up.wait_until_ready();
    let data = folder.path().to_str().unwrap();
    let started = output(&["baseline", "--for", "1m", "--listen", &up.address.to_string(), "--data", data]);
    let stdout = String::from_utf8(started.stdout).unwrap();
    assert!(stdout.starts_with("learning"), "{stdout} {}", String::from_utf8_lossy(&started.stderr));
}
