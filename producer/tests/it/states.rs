//! What a process is doing.

use std::{process::Command, time::Duration};

use crate::children::*;

#[test]
fn a_stopped_child_is_stopped_and_not_traced() {
    let child = Kept::start(Command::new("sleep").arg("60"));
    let mut sweeper = sweeper();
    let running = sweeper.sweep().unwrap();
    assert_eq!(value(&running, "stopped", process(&running, child.pid()).unwrap()), Some(0.0));
    let pid = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let (stopped, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, child.pid())?;
        (value(snapshot, "stopped", at) == Some(1.0)).then_some(at)
    });
    assert_eq!(value(&stopped, "traced", at), Some(0.0));
    assert_eq!(value(&stopped, "disk_wait", at), Some(0.0));
}

#[test]
fn a_busy_child_uses_a_core_and_a_resting_one_none() {
    let busy = Kept::start(Command::new("sh").args(["-c", "while :; do :; done"]));
    let resting = Kept::start(Command::new("sleep").arg("60"));
    let mut sweeper = sweeper();
    let first = sweeper.sweep().unwrap();
    let at = process(&first, busy.pid()).unwrap();
    assert_eq!((value(&first, "cpu_pct", at), missing(&first, "cpu_pct", at)), (None, Some("first-sweep")));
    // On a crowded host the child waits for its turn; what it lacks it must then have waited for.
    std::thread::sleep(Duration::from_millis(600));
    let second = sweeper.sweep().unwrap();
    let at = process(&second, busy.pid()).unwrap();
    let wanted = value(&second, "cpu_pct", at).unwrap() + value(&second, "run_delay_pct", at).unwrap();
    assert!(wanted > 50.0, "{wanted}");
    assert!(wanted < 200.0, "{wanted}");
    let resting = process(&second, resting.pid()).unwrap();
    assert!(value(&second, "cpu_pct", resting).unwrap() < 50.0);
}

#[test]
fn a_child_that_was_born_after_the_last_sweep_has_a_rate_at_once() {
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    let child = Kept::start(Command::new("sh").args(["-c", "while :; do :; done"]));
    std::thread::sleep(Duration::from_millis(300));
    let second = sweeper.sweep().unwrap();
    let at = process(&second, child.pid()).unwrap();
    assert!(value(&second, "cpu_pct", at).is_some());
    assert_eq!(missing(&second, "memory_growth", at), Some("first-sweep"));
}

#[test]
fn a_child_that_grows_is_seen_to_grow() {
    // Each doubling makes the string a new private one.
    let grow = "v=xxxxxxxxxxxxxxxx; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do v=$v$v; done";
    let (child, mut input) = Kept::ready(&format!("echo ready; read line; {grow}; read line"));
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let at = process(&before, child.pid()).unwrap();
    assert_eq!(missing(&before, "memory_growth", at), Some("first-sweep"));
    go_on(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, child.pid())?;
        (value(snapshot, "memory_growth", at)? > 1e6).then_some(at)
    });
    assert!(value(&after, "memory_rss", at) > value(&before, "memory_rss", process(&before, child.pid()).unwrap()));
}

#[test]
fn a_child_that_ended_is_gone_and_a_zombie_is_one_until_it_is_awaited() {
    let mut child = Kept::start(&mut Command::new("true"));
    let mut sweeper = sweeper();
    let (zombie, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, child.pid())?;
        (value(snapshot, "zombie", at) == Some(1.0)).then_some(at)
    });
    assert_eq!((value(&zombie, "fds", at), missing(&zombie, "fds", at)), (Some(0.0), None));
    child.0.wait().unwrap();
    let after = sweeper.sweep().unwrap();
    assert_eq!(process(&after, child.pid()), None);
}

#[test]
fn a_script_is_told_by_its_name_and_its_arguments_stay_here() {
    let directory = tempfile::TempDir::new().unwrap();
    let script = directory.path().join("nightly-job.sh");
    std::fs::write(&script, "read line < /dev/zero\nsleep 60\n").unwrap();
    let child = Kept::start(Command::new("sh").arg("-u").arg(&script).arg("--password=hunter2"));
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, child.pid())?;
        node(snapshot, at).role.ends_with(" nightly-job.sh").then_some(at)
    });
    assert!(node(&snapshot, at).role.starts_with('/'));
    assert!(!format!("{snapshot:?}").contains("hunter2"));
}

#[test]
fn a_reader_depends_on_the_writer_of_its_pipe_and_a_child_on_its_parent() {
    let (shell, _input) = Kept::ready("sleep 60 | cat & echo ready; read line; kill $!");
    let (snapshot, (reader, writer)) = sweep_until(&mut sweeper(), |snapshot| {
        let shell = process(snapshot, shell.pid())?;
        let child = |name: &str| {
            (0..snapshot.nodes.len())
                .find(|at| node(snapshot, *at).name == name && edge(snapshot, *at, "parent", shell).is_some())
        };
        Some((child("cat")?, child("sleep")?))
    });
    assert_eq!(edge(&snapshot, reader, "pipes", writer).unwrap().basis, "observed");
    assert!(edge(&snapshot, writer, "pipes", reader).is_none());
}
