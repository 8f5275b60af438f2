//! The loop, on a bus that goes away.

use std::{sync::Arc, time::Duration};

use hostread::HostReadError;
use producer::ProducerError;
use schemas::{GraphSnapshot, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    children::producer,
    fixture::{stat, tree, write},
    moody::{Mood, Moody},
};

const ROOM: u64 = 16 << 20;

/// A producer at work on a small tree of its own.
struct Running {
    tree: TempDir,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ProducerError>>,
}

impl Running {
    fn start(bus: &Arc<Moody>, queue_bytes: u64) -> Running {
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

/// How many dropped ones a snapshot tells of.
fn told(snapshot: &GraphSnapshot) -> i64 {
    let told = snapshot.coverage.iter().filter(|entry| entry.signal == "snapshot");
    told.inspect(|entry| assert_eq!(entry.reason, "gone")).map(|entry| entry.count).sum()
}

/// Checks that each snapshot comes once, in order, and that later ones tell of all that are missing among them.
#[track_caller]
fn check_nothing_is_lost_in_silence(snapshots: &[GraphSnapshot]) {
    let sequences = sequences(snapshots);
    assert!(sequences.is_sorted_by(|one, other| one < other), "{sequences:?}");
    let missing = sequences.last().unwrap() + 1 - i64::try_from(sequences.len()).unwrap();
    let told: i64 = snapshots.iter().map(told).sum();
    assert_eq!(told, missing, "{sequences:?}");
}

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

#[tokio::test]
async fn order_is_kept_and_nothing_lost_over_an_outage() {
    let bus = Moody::open(Mood::Takes, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.snapshots(3).await;
    bus.turn(Mood::Fails);
    bus.asked(1).await;
    let before = bus.snapshots(0).await.len();
    bus.asked(2).await;
    let during = bus.snapshots(0).await.len();
    bus.turn(Mood::Takes);
    let after = bus.snapshots(during + 10).await;
    running.end().await.unwrap();
    assert_eq!(during, before, "what fails does not arrive");
    assert_eq!(sequences(&after), (0..).take(after.len()).collect::<Vec<i64>>());
    assert!(after.iter().all(|snapshot| told(snapshot) == 0));
}

#[tokio::test]
async fn sweeps_keep_their_interval_while_the_bus_hangs() {
    let bus = Moody::open(Mood::Hangs, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.asked(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let released = now();
    bus.turn(Mood::Takes);
    let snapshots = bus.snapshots(10).await;
    running.end().await.unwrap();
    let meanwhile = snapshots.iter().filter(|snapshot| snapshot.started_at < released).count();
    assert!(meanwhile >= 5, "{meanwhile} sweeps in a second at an interval of 50 ms");
    check_nothing_is_lost_in_silence(&snapshots);
}

#[tokio::test]
async fn the_oldest_are_dropped_when_there_is_no_room_and_later_ones_tell_how_many() {
    let bus = Moody::open(Mood::Takes, ROOM).await;
    let (size, sequence) = {
        let running = Running::start(&bus, ROOM);
        let snapshot = bus.snapshots(1).await.remove(0);
        running.end().await.unwrap();
        (schemas::encode(&snapshot).unwrap().len() as u64, snapshot.sequence)
    };
    assert_eq!(sequence, 0);
    let bus = Moody::open(Mood::Fails, ROOM).await;
    let running = Running::start(&bus, size * 4);
    // Two pauses are time for more sweeps than there is room for.
    bus.asked(4).await;
    bus.turn(Mood::Takes);
    let snapshots = bus.snapshots(10).await;
    running.end().await.unwrap();
    assert!(snapshots[0].sequence > 0, "the oldest are dropped");
    check_nothing_is_lost_in_silence(&snapshots);
}

#[tokio::test]
async fn a_snapshot_that_is_too_large_does_not_hold_up_the_next() {
    let bus = Moody::open(Mood::Takes, 20_000).await;
    let running = Running::start(&bus, ROOM);
    let before = bus.snapshots(2).await.len();
    for pid in 100..400 {
        write(running.tree.path(), &format!("{pid}/stat"), &stat(pid, b"one of a crowd", 17, 0));
    }
    // Whatever arrives once refusals have begun was swept after them.
    bus.asked(10).await;
    for pid in 100..400 {
        std::fs::remove_dir_all(running.tree.path().join(pid.to_string())).unwrap();
    }
    let there = bus.snapshots(before).await.len();
    let snapshots = bus.snapshots(there + 10).await;
    running.end().await.unwrap();
    assert!(snapshots.iter().any(|snapshot| told(snapshot) > 0), "none was too large");
    check_nothing_is_lost_in_silence(&snapshots);
}

#[tokio::test]
async fn what_waits_at_the_end_is_delivered_if_the_bus_comes_back_in_time() {
    let bus = Moody::open(Mood::Fails, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.asked(2).await;
    running.shutdown.cancel();
    bus.turn(Mood::Takes);
    running.task.await.unwrap().unwrap();
    let snapshots = bus.snapshots(0).await;
    assert!(snapshots.len() >= 2, "{} arrived", snapshots.len());
    check_nothing_is_lost_in_silence(&snapshots);
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_bus_that_hangs() {
    let bus = Moody::open(Mood::Hangs, ROOM).await;
    let running = Running::start(&bus, ROOM);
    bus.asked(1).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), running.end()).await;
    assert!(ended.expect("it ends by itself").is_ok());
}

#[tokio::test]
async fn a_bus_that_has_stopped_for_good_ends_the_run() {
    let bus = Moody::open(Mood::Stops, ROOM).await;
    let running = Running::start(&bus, ROOM);
    assert!(matches!(running.task.await.unwrap(), Err(ProducerError::Bus(bus::BusError::Stopped))));
}

#[tokio::test]
async fn a_root_that_is_no_proc_ends_the_run_at_once() {
    let bus = Moody::open(Mood::Takes, ROOM).await;
    let root = TempDir::new().unwrap();
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let ended = producer::run(producer, bus, CancellationToken::new()).await;
    assert!(matches!(ended, Err(ProducerError::Host(HostReadError::NotProc { .. }))));
}
