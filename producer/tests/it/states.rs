//! States and resource use of processes.

use std::{process::Command, time::Duration};

use crate::{children::*, helpers::start_helper};

#[test]
fn a_stopped_child_is_stopped_and_not_traced() {
    let child = ChildGuard::start(Command::new("sleep").arg("60"));
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
fn a_busy_child_uses_a_core_and_an_idle_one_none() {
    let busy = ChildGuard::start(Command::new("sh").args(["-c", "while :; do :; done"]));
    let resting = ChildGuard::start(Command::new("sleep").arg("60"));
    let mut sweeper = sweeper();
    let first = sweeper.sweep().unwrap();
    let at = process(&first, busy.pid()).unwrap();
    assert_eq!((value(&first, "cpu_pct", at), missing(&first, "cpu_pct", at)), (None, Some("first-sweep")));
    // On a busy host the child waits for a CPU; then run delay accounts for the rest.
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
fn a_new_child_is_counted_and_shown_with_rates_once_it_stays() {
    let (parent, mut input) = ChildGuard::ready("echo ready; read line; sh -c 'while :; do :; done' & wait");
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    send_line(&mut input);
    let (first, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, parent.pid())?;
        (value(snapshot, "forks", at)? > 0.0).then_some(at)
    });
    assert_eq!(value(&first, "children", at), Some(0.0));
    std::thread::sleep(Duration::from_millis(100));
    let second = sweeper.sweep().unwrap();
    let at = process(&second, parent.pid()).unwrap();
    assert_eq!((value(&second, "forks", at), value(&second, "children", at)), (Some(0.0), Some(1.0)));
    let child = second.edges.iter().find(|edge| edge.kind == "parent" && edge.target as usize == at).unwrap().source;
    assert!(value(&second, "cpu_pct", child as usize).is_some());
    assert_eq!(missing(&second, "memory_growth", child as usize), Some("first-sweep"));
    let child = second.nodes[child as usize].pid.unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(child as i32).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

#[test]
fn short_lived_commands_are_not_nodes() {
    let mut sweeper = sweeper();
    let (shell, _input) = ChildGuard::ready("echo ready; while :; do sleep 0.2; done");
    let mut seen = (0.0, 0.0);
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(400));
        let snapshot = sweeper.sweep().unwrap();
        let Some(at) = process(&snapshot, shell.pid()) else { continue };
        seen.0 += value(&snapshot, "forks", at).unwrap_or(0.0);
        seen.1 += value(&snapshot, "children", at).unwrap();
    }
    let (forks, shown) = seen;
    // On a busy host a child may live until the next sweep.
    assert!(forks > 1.0 && shown <= 2.0, "{seen:?}");
}

#[test]
fn unreaped_children_are_zombies_of_their_parent() {
    let (parent, _input) = ChildGuard::ready("sleep 0.05 & sleep 0.05 & echo ready; exec sleep 60");
    let (_, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, parent.pid())?;
        (value(snapshot, "zombies", at) == Some(2.0)).then_some(at)
    });
    assert!(at > 0);
}

#[test]
fn three_hundred_threads_are_counted() {
    let (child, _) = start_helper("threads 300");
    let snapshot = sweeper().sweep().unwrap();
    let at = process(&snapshot, child.pid()).unwrap();
    assert!(value(&snapshot, "threads", at).unwrap() >= 300.0);
}

#[test]
fn open_files_are_compared_with_the_limit() {
    let (child, _) = start_helper("leak-files 200");
    let snapshot = sweeper().sweep().unwrap();
    let at = process(&snapshot, child.pid()).unwrap();
    let fds = value(&snapshot, "fds", at).unwrap();
    let part = value(&snapshot, "fds_pct", at).unwrap();
    assert!(fds >= 200.0);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap() as f32;
    assert!((part - fds / limit * 100.0).abs() < 0.1, "{part} {fds} of {limit}");
}

#[test]
fn writes_that_all_fail_are_reported() {
    let (child, _input) = ChildGuard::ready("echo ready; exec >/dev/full 2>&1; while :; do echo more; done");
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, child.pid())?;
        (value(snapshot, "failed_writes", at)? > 100.0).then_some(at)
    });
    assert!(value(&snapshot, "cpu_system_pct", at).unwrap() <= value(&snapshot, "cpu_pct", at).unwrap());
}

#[test]
fn cpu_time_of_an_exited_child_is_counted_at_its_parent() {
    let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let (parent, mut input) = ChildGuard::ready(&format!("echo ready; read line; sh -c '{spin}'; read line"));
    let mut sweeper = sweeper();
    sweeper.sweep().unwrap();
    send_line(&mut input);
    sweep_until(&mut sweeper, |snapshot| {
        (value(snapshot, "children_cpu_pct", process(snapshot, parent.pid())?)? > 5.0).then_some(())
    });
}

#[test]
fn idle_processes_are_not_read_again_and_active_ones_are() {
    let (child, mut input) = ChildGuard::ready("echo ready; read line; exec 7</etc/passwd; read line");
    let mut sweeper = sweeper();
    let fds = |snapshot: &schemas::GraphSnapshot| value(snapshot, "fds", process(snapshot, child.pid()).unwrap());
    let before = fds(&sweeper.sweep().unwrap());
    assert_eq!(fds(&sweeper.sweep().unwrap()), before);
    send_line(&mut input);
    sweep_until(&mut sweeper, |snapshot| (fds(snapshot) == before.map(|fds| fds + 1.0)).then_some(()));
}

#[test]
fn growing_memory_of_a_child_is_measured() {
    // Each doubling allocates a new private string.
    let grow = "v=xxxxxxxxxxxxxxxx; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do v=$v$v; done";
    let (child, mut input) = ChildGuard::ready(&format!("echo ready; read line; {grow}; read line"));
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let at = process(&before, child.pid()).unwrap();
    assert_eq!(missing(&before, "memory_growth", at), Some("first-sweep"));
    send_line(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, child.pid())?;
        (value(snapshot, "memory_growth", at)? > 1e6).then_some(at)
    });
    assert!(value(&after, "memory_rss", at) > value(&before, "memory_rss", process(&before, child.pid()).unwrap()));
}

#[test]
fn an_exited_child_disappears_and_a_zombie_stays_until_it_is_reaped() {
    let mut child = ChildGuard::start(&mut Command::new("true"));
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
fn a_script_is_named_and_its_arguments_are_not_sent() {
    let directory = tempfile::TempDir::new().unwrap();
    let script = directory.path().join("nightly-job.sh");
    std::fs::write(&script, "read line < /dev/zero\nsleep 60\n").unwrap();
    let child = ChildGuard::start(Command::new("sh").arg("-u").arg(&script).arg("--password=hunter2"));
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, child.pid())?;
        node(snapshot, at).role.ends_with(" nightly-job.sh").then_some(at)
    });
    assert!(node(&snapshot, at).role.starts_with('/'));
    assert!(!format!("{snapshot:?}").contains("hunter2"));
}

#[test]
fn a_reader_depends_on_the_writer_of_its_pipe_and_a_child_on_its_parent() {
    let (shell, _input) = ChildGuard::ready("sleep 60 | cat & echo ready; read line; kill $!");
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

#[test]
fn descriptors_are_found_under_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let script = "exec 5>a 9>b; echo ready; read line; exec 9>&- 7>c; read line; exec 6>d; read line";
    let (shell, mut input) = ChildGuard::ready(&format!("cd {}; {script}", folder.path().display()));
    let mut sweeper = sweeper();
    let opened = |snapshot: &schemas::GraphSnapshot, name: &str| {
        let file = node_with_path(snapshot, folder.path().join(name).to_str()?)?;
        edge(snapshot, process(snapshot, shell.pid())?, "opens", file).map(drop)
    };
    let (before, ()) = sweep_until(&mut sweeper, |snapshot| opened(snapshot, "a").and_then(|()| opened(snapshot, "b")));
    let fds = |snapshot: &schemas::GraphSnapshot| value(snapshot, "fds", process(snapshot, shell.pid()).unwrap());
    send_line(&mut input);
    let (moved, ()) = sweep_until(&mut sweeper, |snapshot| opened(snapshot, "c"));
    assert_eq!((fds(&moved), opened(&moved, "a"), opened(&moved, "b")), (fds(&before), Some(()), None));
    send_line(&mut input);
    let (more, ()) = sweep_until(&mut sweeper, |snapshot| opened(snapshot, "d"));
    assert_eq!(fds(&more), fds(&before).map(|fds| fds + 1.0));
    assert_eq!((opened(&more, "a"), opened(&more, "c")), (Some(()), Some(())));
}
