//! Records that cannot be processed or published do not stop the scorer.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusConfig, Cursor, Delivery, EmbeddedBus, Record};
use schemas::{Timestamp, Topic};
use scorer::{ApiConfig, ScorerConfig, ScorerError};
use tokio_util::sync::CancellationToken;

use crate::serve::{free_address, get, snapshot};

const MAX_RECORD_BYTES: u64 = 4096;
/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

async fn open(folder: &tempfile::TempDir, partitions: u16) -> Arc<EmbeddedBus> {
    let path = folder.path().to_owned();
    let config = BusConfig { path, partitions, max_record_bytes: MAX_RECORD_BYTES, ..BusConfig::default() };
    Arc::new(EmbeddedBus::open(&config).await.unwrap())
}

/// Waits until the topic holds `count` records, and returns them.
async fn wait_for(bus: &EmbeddedBus, topic: Topic, count: usize) -> Vec<Delivery> {
    let mut found = Vec::new();
    let mut cursor = Cursor::start(topic);
    while found.len() < count {
        let page = bus.read(&cursor, 100, TIMEOUT).await.unwrap();
        assert!(!page.deliveries.is_empty(), "{} of {count} records in {topic}", found.len());
        found.extend(page.deliveries);
        cursor = page.next;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_records_become_dead_letters_and_the_next_snapshots_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(&folder, 1).await;
    // A program with other settings has written to a partition that this bus does not have.
    let other = open(&folder, 4).await;
    other.publish(vec![snapshot(0).with_partition(3)], None).await.unwrap();
    let garbage = vec![7; usize::try_from(MAX_RECORD_BYTES).unwrap() - 1];
    bus.publish(vec![Record::new(Topic::Snapshots, "h", garbage.clone(), Timestamp(0))], None).await.unwrap();
    bus.publish(vec![snapshot(1)], None).await.unwrap();

    let address = free_address();
    let api = ApiConfig { listen: address, ..ApiConfig::default() };
    let shutdown = CancellationToken::new();
    let config = ScorerConfig { api, ..ScorerConfig::default() };
    let running = tokio::spawn(scorer::run(config, bus.clone(), shutdown.clone()));
    wait_for(&bus, Topic::Healthy, 1).await;
    bus.publish(vec![snapshot(2)], None).await.unwrap();
    wait_for(&bus, Topic::Healthy, 2).await;
    let letters = wait_for(&bus, Topic::DeadLetter, 2).await;
    let header = |letter: &Delivery, name: &str| String::from_utf8_lossy(letter.header(name).unwrap()).into_owned();
    assert_eq!(header(&letters[0], "from"), "detective.healthy/3");
    assert!(header(&letters[0], "why").contains("expected a partition"), "{}", header(&letters[0], "why"));
    assert_eq!(header(&letters[1], "from"), "detective.snapshots/0/0");
    assert_eq!(header(&letters[1], "value-bytes"), garbage.len().to_string());
    assert_eq!(letters[1].value, garbage[..garbage.len() / 2]);
    let (_, metrics) = get(address, "/metrics").await;
    for line in [
        "detective_records_rejected_total 1\n",
        "detective_dead_letters_total 2\n",
        "detective_dead_letters_lost_total 0\n",
        "detective_snapshots_lost_total 0\n",
        "detective_snapshots_learned_total 3\n",
    ] {
        assert!(metrics.contains(line), "expected {line} in {metrics}");
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_that_retention_deletes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let limit = 16 * MAX_RECORD_BYTES;
    let config = BusConfig { path, max_bytes_per_topic: limit, max_record_bytes: limit, ..BusConfig::default() };
    let bus = Arc::new(EmbeddedBus::open(&config).await.unwrap());
    for sequence in 0..1000 {
        bus.publish(vec![snapshot(sequence)], None).await.unwrap();
    }
    // The group has read nothing. Once this is published, the retention of all snapshots is done.
    let positions = bus::Positions { group: scorer::GROUP.into(), next: vec![(Topic::Snapshots, 0, 0)] };
    bus.publish(Vec::new(), Some(positions)).await.unwrap();
    let mut remaining = Vec::new();
    bus::for_each(&*bus, Topic::Snapshots, |delivery| remaining.push(delivery.offset)).await.unwrap();
    assert!((1..1000).contains(&remaining.len()), "{} snapshots remain", remaining.len());

    let address = free_address();
    let api = ApiConfig { listen: address, ..ApiConfig::default() };
    let shutdown = CancellationToken::new();
    let config = ScorerConfig { api, ..ScorerConfig::default() };
    let running = tokio::spawn(scorer::run(config, bus.clone(), shutdown.clone()));
    wait_for(&bus, Topic::Healthy, 1).await;
    let (_, metrics) = get(address, "/metrics").await;
    assert!(metrics.contains(&format!("detective_snapshots_lost_total {}\n", remaining[0])), "{metrics}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_fatal_error_leaves_the_shutdown_to_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(&folder, 1).await;
    bus.publish(vec![snapshot(0)], None).await.unwrap();
    let shutdown = CancellationToken::new();
    let api = ApiConfig { listen: free_address(), ..ApiConfig::default() };
    let config = ScorerConfig { api, ..ScorerConfig::default() };
    let stopped = Arc::new(crate::stopped_bus::StoppedBus(bus));
    let outcome = tokio::time::timeout(TIMEOUT, scorer::run(config, stopped, shutdown.clone())).await.unwrap();
    assert!(matches!(outcome, Err(ScorerError::Bus(bus::BusError::Stopped))), "{outcome:?}");
    assert!(!shutdown.is_cancelled());
}
