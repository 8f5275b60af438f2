//! The sweep loop, on a bus with outages.

use std::{sync::Arc, time::Duration};

use hostread::HostReadError;
use producer::ProducerError;
use schemas::{GraphSnapshot, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    children::producer,
    faulty_bus::{FaultyBus, Mode},
    fixture::{stat, tree, write},
};

const ROOM: u64 = 16 << 20;

/// A running producer over a small tree.
struct Running {
    tree: TempDir,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ProducerError>>,
}

impl Running {
    fn start(bus: &Arc<FaultyBus>, queue_bytes: u64) -> Running {
        let tree = tree();
        write(tree.path(), "17/stat", &stat(17, b"real", 0, 0));
        let mut producer = producer();
        producer.sweep.proc = tree.path().to_owned();
        producer.sweep.interval = Duration::from_millis(50);
        producer.sweep.queue_bytes = queue_bytes;
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(producer::run(producer, Arc::clone(bus) as Arc<dyn bus::Bus>, shutdown.clone()));
        Running { tree, shutdown, task }
    }

    async fn end(self) -> Result<(), ProducerError> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }
}

fn sequences(snapshots: &[GraphSnapshot]) -> Vec<i64> {
    snapshots.iter().map(|snapshot| snapshot.sequence).collect()
}

/// Number of dropped snapshots that a snapshot reports.
fn reported_drops(snapshot: &GraphSnapshot) -> i64 {
    let dropped = snapshot.coverage.iter().filter(|entry| entry.signal == "snapshot");
    dropped.inspect(|entry| assert_eq!(entry.reason, "gone")).map(|entry| entry.count).sum()
}

/// Checks that each snapshot arrives once and in order, and that later ones report every missing
/// one.
#[track_caller]
fn check_every_loss_is_reported(snapshots: &[GraphSnapshot]) {
    let sequences = sequences(snapshots);
    assert!(sequences.is_sorted_by(|one, other| one < other), "{sequences:?}");
    let missing = sequences.last().unwrap() + 1 - i64::try_from(sequences.len()).unwrap();
    let reported: i64 = snapshots.iter().map(reported_drops).sum();
    assert_eq!(reported, missing, "{sequences:?}");
}

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

#[tokio::test]
async fn an_outage_keeps_the_order_and_loses_nothing() {
    let bus = FaultyBus::open(Mode::Accept, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.snapshots(3).await;
    bus.set_mode(Mode::Fail);
    bus.await_attempts(1).await;
    let before = bus.snapshots(0).await.len();
    bus.await_attempts(2).await;
    let during = bus.snapshots(0).await.len();
    bus.set_mode(Mode::Accept);
    let after = bus.snapshots(during + 10).await;
    running.end().await.unwrap();
    assert_eq!(during, before, "what fails does not arrive");
    assert_eq!(sequences(&after), (0..).take(after.len()).collect::<Vec<i64>>());
    assert!(after.iter().all(|snapshot| reported_drops(snapshot) == 0));
}

#[tokio::test]
async fn sweeps_keep_their_interval_while_the_bus_hangs() {
    let bus = FaultyBus::open(Mode::Hang, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.await_attempts(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let released = now();
    bus.set_mode(Mode::Accept);
    let snapshots = bus.snapshots(10).await;
    running.end().await.unwrap();
    let meanwhile = snapshots.iter().filter(|snapshot| snapshot.started_at < released).count();
    assert!(meanwhile >= 5, "{meanwhile} sweeps in a second at an interval of 50 ms");
    check_every_loss_is_reported(&snapshots);
}

#[tokio::test]
async fn the_oldest_are_dropped_without_room_and_later_ones_report_how_many() {
    let bus = FaultyBus::open(Mode::Accept, ROOM).await;
    let (size, sequence) = {
        let running = Running::start(&bus, ROOM);
        let snapshot = bus.snapshots(1).await.remove(0);
        running.end().await.unwrap();
        (schemas::encode(&snapshot).unwrap().len() as u64, snapshot.sequence)
    };
    assert_eq!(sequence, 0);
    let bus = FaultyBus::open(Mode::Fail, ROOM).await;
    let running = Running::start(&bus, size * 4);
    // Two retries take longer than the queue has room for.
    bus.await_attempts(4).await;
    bus.set_mode(Mode::Accept);
    let snapshots = bus.snapshots(10).await;
    running.end().await.unwrap();
    assert!(snapshots[0].sequence > 0, "the oldest are dropped");
    check_every_loss_is_reported(&snapshots);
}

#[tokio::test]
async fn an_oversized_snapshot_does_not_delay_the_next() {
    let bus = FaultyBus::open(Mode::Accept, 20_000).await;
    let running = Running::start(&bus, ROOM);
    let before = bus.snapshots(2).await.len();
    for pid in 100..400 {
        write(running.tree.path(), &format!("{pid}/stat"), &stat(pid, b"one of a crowd", 17, 0));
    }
    // Snapshots that arrive after the refusals began were swept after them.
    bus.await_attempts(10).await;
    for pid in 100..400 {
        std::fs::remove_dir_all(running.tree.path().join(pid.to_string())).unwrap();
    }
    let there = bus.snapshots(before).await.len();
    let snapshots = bus.snapshots(there + 10).await;
    running.end().await.unwrap();
    assert!(snapshots.iter().any(|snapshot| reported_drops(snapshot) > 0), "none was too large");
    check_every_loss_is_reported(&snapshots);
}

#[tokio::test]
async fn queued_snapshots_are_delivered_at_shutdown_if_the_bus_recovers() {
    let bus = FaultyBus::open(Mode::Fail, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.await_attempts(2).await;
    running.shutdown.cancel();
    bus.set_mode(Mode::Accept);
    running.task.await.unwrap().unwrap();
    let snapshots = bus.snapshots(0).await;
    assert!(snapshots.len() >= 2, "{} arrived", snapshots.len());
    check_every_loss_is_reported(&snapshots);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_hanging_bus() {
    let bus = FaultyBus::open(Mode::Hang, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.await_attempts(1).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), running.end()).await;
    assert!(ended.expect("it ends by itself").is_ok());
}

#[tokio::test]
async fn a_bus_that_has_stopped_for_good_ends_the_run() {
    let bus = FaultyBus::open(Mode::Stop, ROOM).await;
    let running = Running::start(&bus, ROOM);
    assert!(matches!(running.task.await.unwrap(), Err(ProducerError::Bus(bus::BusError::Stopped))));
}

#[tokio::test]
async fn a_root_that_is_not_a_proc_filesystem_ends_the_run_at_once() {
    let bus = FaultyBus::open(Mode::Accept, ROOM).await;
    let root = TempDir::new().unwrap();
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let ended = producer::run(producer, bus, CancellationToken::new()).await;
    assert!(matches!(ended, Err(ProducerError::Host(HostReadError::NotProc { .. }))));
}
