//! File locks: holders and waiters.

use std::process::Command;

use tempfile::TempDir;

use crate::{children::*, helpers::start_helper};

/// A shell that waits for an exclusive lock on the file. `--no-fork` makes it one process.
fn waiter(path: &str) -> ChildGuard {
    ChildGuard::start(Command::new("flock").args([path, "true"]))
}

fn locked_file() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("resource.lock").canonicalize();
    let path = path.unwrap_or_else(|_| directory.path().canonicalize().unwrap().join("resource.lock"));
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn two_waiters_point_at_the_holder_and_their_wait_grows() {
    let (_directory, path) = locked_file();
    // `exec` keeps one process: flock(1) opens, locks, and becomes the sleeper.
    let (holder, _input) = ChildGuard::ready(&format!("exec flock --no-fork {path} sh -c 'echo ready; read line'"));
    let one = waiter(&path);
    let two = waiter(&path);
    let mut sweeper = sweeper();
    let (first, (at, file)) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, holder.pid())?;
        let file = node_with_path(snapshot, &path)?;
        (value(snapshot, "lock_waiters", file) == Some(2.0)).then_some((at, file))
    });
    assert_eq!(value(&first, "blocks_others_tasks", at), Some(2.0));
    assert_eq!(edge(&first, at, "holds-lock", file).unwrap().basis, "observed");
    let (second, _) = sweep_until(&mut sweeper, |snapshot| {
        let holder = process(snapshot, holder.pid())?;
        value(snapshot, "blocks_others_ms", holder).filter(|longest| *longest > 40.0)
    });
    let holder = process(&second, holder.pid()).unwrap();
    let file = node_with_path(&second, &path).unwrap();
    for waiter in [&one, &two] {
        let before = value(&first, "blocked_ms", process(&first, waiter.pid()).unwrap()).unwrap();
        let at = process(&second, waiter.pid()).unwrap();
        assert!(value(&second, "blocked_ms", at).unwrap() > before);
        let wait = edge(&second, at, "waits-for", holder).unwrap();
        assert_eq!((wait.basis.as_str(), wait.blocked_ms), ("observed", value(&second, "blocked_ms", at)));
        assert!(edge(&second, at, "waits-lock", file).is_some());
    }
    assert_eq!(value(&second, "blocked_ms", holder), Some(0.0));
    let has_evidence = |source: &str, node: usize| {
        second.evidence.iter().any(|proof| proof.source.contains(source) && proof.nodes.contains(&(node as i32)))
    };
    assert!(has_evidence("/proc/locks", holder));
    assert!(has_evidence("/fdinfo/", holder));
    assert!(has_evidence("/syscall", process(&second, one.pid()).unwrap()));
}

#[test]
fn a_lock_of_a_dead_owner_belongs_to_the_process_that_still_has_the_file_open() {
    a_lock_of_a_dead_owner_is_found();
}

pub fn a_lock_of_a_dead_owner_is_found() {
    let (_directory, path) = locked_file();
    let (shell, _input) =
        ChildGuard::ready(&format!("exec 9>{path}; flock 9; echo ready; sleep 60 & read line; kill $!"));
    let waiter = waiter(&path);
    let mut sweeper = sweeper();
    let (snapshot, (shell, waiter, sleeper)) = sweep_until(&mut sweeper, |snapshot| {
        let shell = process(snapshot, shell.pid())?;
        let waiter = process(snapshot, waiter.pid())?;
        value(snapshot, "blocked_ms", waiter).filter(|millis| *millis > 0.0)?;
        let is_child = |at: &usize| edge(snapshot, *at, "parent", shell).is_some();
        let sleeper = (0..snapshot.nodes.len()).find(|at| node(snapshot, *at).name == "sleep" && is_child(at))?;
        Some((shell, waiter, sleeper))
    });
    assert_eq!(edge(&snapshot, waiter, "waits-for", shell).unwrap().basis, "observed");
    assert_eq!(value(&snapshot, "blocks_others_tasks", shell), Some(1.0));
    // The sleeper inherited the open file and with it the lock. It is listed as a holder, but not
    // as the main one.
    assert_eq!(edge(&snapshot, waiter, "waits-for", sleeper).unwrap().basis, "inferred");
    assert_eq!(value(&snapshot, "blocks_others_tasks", sleeper), Some(0.0));
}

#[test]
fn a_thread_that_waits_for_a_byte_range_is_found() {
    let (_directory, path) = locked_file();
    std::fs::write(&path, "x").unwrap();
    let (holder, _) = start_helper(&format!("lock {path}"));
    let (waiter, _) = start_helper(&format!("wait-in-a-thread {path}"));
    let mut sweeper = sweeper();
    let (snapshot, (waiter, holder)) = sweep_until(&mut sweeper, |snapshot| {
        let waiter = process(snapshot, waiter.pid())?;
        value(snapshot, "blocked_ms", waiter).filter(|millis| *millis > 0.0)?;
        Some((waiter, process(snapshot, holder.pid())?))
    });
    assert_eq!(edge(&snapshot, waiter, "waits-for", holder).unwrap().basis, "observed");
    let at = i32::try_from(waiter).unwrap();
    let call = snapshot.evidence.iter().find(|proof| proof.nodes.contains(&at) && proof.source.ends_with("/syscall"));
    assert!(call.unwrap().text.contains("F_SETLKW"));
    assert!(!call.unwrap().source.contains(&format!("/task/{}/", node(&snapshot, waiter).pid.unwrap())));
}

#[test]
fn an_ended_wait_is_forgotten() {
    let (_directory, path) = locked_file();
    let (holder, mut input) =
        ChildGuard::ready(&format!("exec flock --no-fork {path} sh -c 'echo ready; read line; exec sleep 60 9<&-'"));
    let waiter = ChildGuard::start(Command::new("flock").args(["-o", &path, "sleep", "60"]));
    let mut sweeper = sweeper();
    sweep_until(&mut sweeper, |snapshot| {
        value(snapshot, "blocked_ms", process(snapshot, waiter.pid())?).filter(|millis| *millis > 0.0)
    });
    send_line(&mut input);
    drop(holder);
    let (_, blocked) = sweep_until(&mut sweeper, |snapshot| {
        let at = process(snapshot, waiter.pid())?;
        edge(snapshot, at, "holds-lock", node_with_path(snapshot, &path)?)?;
        value(snapshot, "blocked_ms", at)
    });
    assert_eq!(blocked, 0.0);
}

#[test]
fn files_below_own_paths_are_excluded() {
    let (directory, path) = locked_file();
    let (_shell, _input) = ChildGuard::ready(&format!("exec 9>{path}; flock 9; echo ready; read line"));
    let mut watched = producer();
    let seen = producer::Sweeper::new(watched.clone()).unwrap().sweep().unwrap();
    assert!(node_with_path(&seen, &path).is_some());
    watched.own_paths = vec![directory.path().to_owned()];
    let unseen = producer::Sweeper::new(watched.clone()).unwrap().sweep().unwrap();
    assert!(node_with_path(&unseen, &path).is_none());
}

#[test]
fn a_chain_of_three_leads_to_its_first_holder() {
    let (_one, first) = locked_file();
    let (_two, second) = locked_file();
    let (holder, _input) = ChildGuard::ready(&format!("exec flock --no-fork {first} sh -c 'echo ready; read line'"));
    let middle = ChildGuard::start(std::process::Command::new("flock").args(["--no-fork", &second]).args([
        "flock",
        "--no-fork",
        &first,
        "true",
    ]));
    let mut sweeper = sweeper();
    sweep_until(&mut sweeper, |snapshot| {
        edge(snapshot, process(snapshot, middle.pid())?, "waits-for", process(snapshot, holder.pid())?).map(drop)
    });
    let last = waiter(&second);
    let (snapshot, (middle, last)) = sweep_until(&mut sweeper, |snapshot| {
        let middle = process(snapshot, middle.pid())?;
        let last = process(snapshot, last.pid())?;
        edge(snapshot, last, "waits-for", middle)?;
        Some((middle, last))
    });
    let holder = process(&snapshot, holder.pid()).unwrap();
    assert!(edge(&snapshot, middle, "waits-for", holder).is_some());
    assert!(edge(&snapshot, last, "waits-for", holder).is_none());
    assert_eq!(value(&snapshot, "blocks_others_tasks", middle), Some(1.0));
    assert_eq!(value(&snapshot, "blocks_others_tasks", holder), Some(1.0));
}

#[test]
fn an_open_file_description_lock_has_a_holder() {
    let (_directory, path) = locked_file();
    std::fs::write(&path, "").unwrap();
    let (holder, _) = start_helper(&format!("lock-open-file {path}"));
    let (waiter, _) = start_helper(&format!("wait-for-open-file {path}"));
    let (snapshot, (waiter, holder)) = sweep_until(&mut sweeper(), |snapshot| {
        let waiter = process(snapshot, waiter.pid())?;
        let holder = process(snapshot, holder.pid())?;
        edge(snapshot, waiter, "waits-for", holder)?;
        Some((waiter, holder))
    });
    let file = node_with_path(&snapshot, &path).unwrap();
    assert!(edge(&snapshot, holder, "holds-lock", file).is_some());
    assert!(edge(&snapshot, waiter, "waits-lock", file).is_some());
}
