//! The whole way on one machine: learn, see trouble, name who started it, and go on after a crash.

use std::{
    collections::HashSet,
    fs::File,
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, flock};
use schemas::{EventKind, RootCauseEvent};

use crate::running::{Script, Up, output};

/// One who waits for the lock of a file.
pub fn waiter(path: &str) -> Script {
    // `flock` of util-linux waits in its own process.
    let waiter = Command::new("flock").args([path, "true"]).stdin(Stdio::null()).spawn().unwrap();
    Script(waiter)
}

/// One who holds the lock of a file, which is made for it.
pub fn holder(path: &str) -> Script {
    File::create(path).unwrap();
    // Another process than this one, whose threads are many.
    let holder = Script::shell(&format!("exec 9>{path}; flock 9; exec sleep 600"));
    while File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok()) {
        std::thread::yield_now();
    }
    holder
}

pub fn blames(event: &RootCauseEvent, pid: i64) -> bool {
    event.initiating.as_ref().is_some_and(|suspect| suspect.pid == Some(pid))
}

#[test]
fn who_holds_a_lock_is_named_with_the_file_and_those_who_wait_and_a_crash_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let locked = folder.path().join("app.log");
    let locked = locked.to_str().unwrap();
    let up = Up::start(&data);
    up.wait_until_ready();

    let holder = holder(locked);
    let waiters = [waiter(locked), waiter(locked)];
    let opened = up.event(|event| event.event == EventKind::Opened && blames(event, holder.pid()));
    let suspect = opened.initiating.clone().unwrap();
    assert_eq!(suspect.path.as_deref(), Some(locked));
    assert!(!suspect.why.is_empty());
    let mut expected: HashSet<i64> = waiters.iter().map(Script::pid).collect();
    let named = |event: &RootCauseEvent| event.impact.iter().filter_map(|suspect| suspect.pid).collect::<Vec<_>>();
    for pid in named(&opened) {
        expected.remove(&pid);
    }
    if !expected.is_empty() {
        // One who came a sweep later is told in an update.
        let updated = up.event(|event| event.incident == opened.incident && event.event == EventKind::Updated);
        assert!(expected.iter().all(|pid| named(&updated).contains(pid)), "{updated:?}");
    }
    let answer = up.wait_for("/api/suspects?window=12s", |status, _| status == 200);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["alarm"], true);

    up.kill();
    let up = Up::start(&data);
    // No learning again: the model is there.
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
fn a_stopped_process_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let worker = Script::shell("while :; do sleep 0.2; done");
    let up = Up::start(folder.path());
    up.wait_until_ready();
    let pid = rustix::process::Pid::from_child(&worker.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let event = up.event(|event| blames(event, worker.pid()));
    assert!(event.summary.contains("stopped by a signal"), "{}", event.summary);
}
