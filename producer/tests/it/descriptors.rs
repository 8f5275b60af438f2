//! Sweeps of a program that has no file descriptors left.

use std::{fs::File, sync::Arc, time::Duration};

use bus::Bus;
use rustix::process::{Resource, Rlimit, setrlimit};
use schemas::GraphSnapshot;
use tokio_util::sync::CancellationToken;

use crate::{
    children::*,
    faulty_bus::{FaultyBus, Mode},
    helpers::start_helper,
};

/// Opens files until no descriptor is left.
fn use_up_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// The sum of a snapshot's coverage for one item and reason.
fn missing_count(snapshot: &GraphSnapshot, item: &str, reason: &str) -> i64 {
    let entries = snapshot.coverage.iter().filter(|entry| entry.signal == item && entry.reason == reason);
    entries.map(|entry| entry.count).sum()
}

fn count_processes(snapshot: &GraphSnapshot) -> usize {
    snapshot.nodes.iter().filter(|node| node.kind == "process").count()
}

/// Runs in a helper process, whose limit of open files it lowers. Returns what the test compares.
pub fn sweep_without_descriptors(how: &str) -> String {
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum: Some(128) }).unwrap();
    if how == "run" { run() } else { sweep_on_shared_descriptors() }
}

/// Sweeps on a thread that shares its descriptors with files that use them up.
fn sweep_on_shared_descriptors() -> String {
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let files = use_up_descriptors();
    let during = sweeper.sweep().unwrap();
    drop(files);
    let after = sweeper.sweep().unwrap();
    let all = |reason| [&before, &during, &after].map(|snapshot| missing_count(snapshot, "process", reason) > 0);
    format!("{:?} {:?}", all("exhausted"), all("unsupported"))
}

/// Runs the producer while the rest of its program has no descriptors left.
fn run() -> String {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let bus = FaultyBus::open(Mode::Accept, 16 << 20).await;
        let mut producer = producer();
        producer.sweep.interval = Duration::from_millis(100);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(producer::run(producer, Arc::clone(&bus) as Arc<dyn Bus>, shutdown.clone()));
        let n_before = bus.snapshots(1).await.len();
        let files = use_up_descriptors();
        bus.await_attempts(3).await;
        drop(files);
        let snapshots = bus.snapshots(n_before + 3).await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
        let exhausted: i64 = snapshots.iter().map(|snapshot| missing_count(snapshot, "process", "exhausted")).sum();
        let fewest = snapshots.iter().map(count_processes).min().unwrap();
        format!("{exhausted} {}", fewest * 2 > count_processes(&snapshots[0]))
    })
}

#[test]
fn a_lack_of_descriptors_is_a_reason_of_its_own_and_ends() {
    let (_helper, seen) = start_helper("starve sweep");
    assert_eq!(seen, "[false, true, false] [false, false, false]");
}

#[test]
fn the_rest_of_the_program_cannot_use_up_the_descriptors_of_sweeps() {
    let (_helper, seen) = start_helper("starve run");
    assert_eq!(seen, "0 true");
}
