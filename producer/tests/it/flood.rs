//! Processes with very many open files.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use producer::Sweeper;
use schemas::GraphSnapshot;

use crate::{children::*, helpers::start_helper};

/// Files that a flooding process has open, more than its share in these tests.
const MANY: usize = 1500;
const SHARE: u64 = 300;
const MAX_FILES: u64 = 100;

/// Creates and opens many files in a directory. Returns them, and the path of one that all these
/// processes share.
pub fn open_many(directory: &Path) -> (Vec<File>, PathBuf) {
    let own = directory.join(std::process::id().to_string());
    std::fs::create_dir(&own).unwrap();
    let files = (0..MANY).map(|n| File::create(own.join(n.to_string())).unwrap()).collect();
    (files, directory.join("shared"))
}

/// A sweeper with small budgets.
fn frugal_sweeper() -> Sweeper {
    let mut producer = producer();
    producer.sweep.max_process_descriptors = SHARE;
    producer.sweep.max_files = MAX_FILES;
    Sweeper::new(producer).unwrap()
}

fn left_out(snapshot: &GraphSnapshot, item: &str) -> i64 {
    let entries = snapshot.coverage.iter().filter(|entry| entry.signal == item && entry.reason == "off");
    entries.map(|entry| entry.count).sum()
}

#[test]
fn a_process_with_very_many_files_is_read_in_part_and_counted_whole() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("shared"), "").unwrap();
    let (flood, _) = start_helper(&format!("lock-one-of-many {}", directory.path().display()));
    let snapshot = frugal_sweeper().sweep().unwrap();
    let at = process(&snapshot, flood.pid()).unwrap();
    assert!(value(&snapshot, "fds", at).unwrap() > MANY as f32);
    assert_eq!(missing(&snapshot, "sockets", at), Some("off"));
    assert!(left_out(&snapshot, "descriptors") >= MANY as i64 - SHARE as i64);
    let own_files = format!("{}/", directory.path().display());
    let is_own = |path: &str| path.starts_with(&own_files);
    let shown = snapshot.nodes.iter().filter(|node| node.path.as_deref().is_some_and(is_own)).count();
    assert!((1..=MAX_FILES as usize).contains(&shown), "{shown}");
    assert!(left_out(&snapshot, "file") > 0);
}

#[test]
fn all_processes_together_stay_within_the_budget() {
    const BUDGET: usize = 300;
    const ALWAYS_READ: usize = 64;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("shared"), "").unwrap();
    let start = || start_helper(&format!("wait-for-one-of-many {}", directory.path().display())).0;
    let floods = [(); 3].map(|()| start());
    for reread in [false, true] {
        let mut producer = producer();
        producer.sweep.max_descriptors = BUDGET as u64;
        producer.sweep.reread = reread;
        let mut sweeper = Sweeper::new(producer).unwrap();
        // The first sweep knows no processes, and in the second they are idle.
        for _ in 0..2 {
            let snapshot = sweeper.sweep().unwrap();
            let nodes = floods.each_ref().map(|flood| process(&snapshot, flood.pid()).unwrap() as i32);
            let is_read = |edge: &&schemas::Edge| edge.kind == "opens" && nodes.contains(&edge.source);
            let read = snapshot.edges.iter().filter(is_read).count();
            assert!((1..=BUDGET + 3 * ALWAYS_READ).contains(&read), "{read} descriptors");
        }
    }
}

#[test]
fn figures_of_descriptors_that_were_not_read_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("shared"), "").unwrap();
    let (flood, _) = start_helper(&format!("lock-one-of-many {}", directory.path().display()));
    let mut sweeper = frugal_sweeper();
    sweeper.sweep().unwrap();
    let snapshot = sweeper.sweep().unwrap();
    let at = process(&snapshot, flood.pid()).unwrap();
    for signal in ["sockets", "connections", "response_wait_ms", "request_pending_ms", "unread_ms", "filesystem_growth"]
    {
        assert_eq!(missing(&snapshot, signal, at), Some("off"), "{signal}");
    }
    // The descriptor of a waiting task is read in any case.
    assert_eq!((missing(&snapshot, "read_wait_ms", at), value(&snapshot, "write_wait_ms", at)), (None, Some(0.0)));
}

#[test]
fn the_holder_of_a_lock_on_one_of_very_many_files_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let shared = directory.path().join("shared");
    std::fs::write(&shared, "").unwrap();
    let flood = |part: &str| start_helper(&format!("{part} {}", directory.path().display())).0;
    let holder = flood("lock-one-of-many");
    let waiter = flood("wait-for-one-of-many");
    let mut sweeper = frugal_sweeper();
    let (snapshot, (from, to)) = sweep_until(&mut sweeper, |snapshot| {
        let [from, to] = [process(snapshot, waiter.pid())?, process(snapshot, holder.pid())?];
        edge(snapshot, from, "waits-for", to).map(|_| (from, to))
    });
    let file = node_with_path(&snapshot, shared.to_str().unwrap()).unwrap();
    assert!(edge(&snapshot, from, "waits-lock", file).is_some());
    assert!(edge(&snapshot, to, "holds-lock", file).is_some());
    assert_eq!(value(&snapshot, "lock_waiters", file), Some(1.0));
}
