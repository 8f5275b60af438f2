//! Retention: which records are deleted, and which are kept.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bus::{Bus, BusConfig, Cursor, Delivery, EmbeddedBus, Record, RetentionConfig, for_each};
use schemas::{Timestamp, Topic};

use crate::Directory;

/// A bus with a clock that only the test advances.
struct TestBus {
    bus: EmbeddedBus,
    now: Arc<AtomicI64>,
    directory: Directory,
}

impl TestBus {
    async fn new(limits: impl FnOnce(&mut BusConfig)) -> Self {
        let directory = Directory::new();
        let mut config = directory.config();
        limits(&mut config);
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let bus = EmbeddedBus::open_with_clock(&config, Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        TestBus { bus: bus.await.unwrap(), now, directory }
    }

    fn advance(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    async fn publish(&self, topic: Topic, key: &str, value: Vec<u8>) {
        self.bus.publish(vec![Record::new(topic, key, value, Timestamp(0))], None).await.unwrap();
    }

    async fn read_all(&self, topic: Topic) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for_each(&self.bus, topic, |delivery| deliveries.push(delivery)).await.unwrap();
        deliveries
    }

    /// Reads all records after the trim that follows the last publication.
    async fn read_all_after_trim(&self, topic: Topic) -> Vec<Delivery> {
        // The writer runs its jobs in order: after this one, the trim is done.
        let positions = bus::Positions { group: "after".into(), next: vec![(Topic::Alerts, 0, 0)] };
        self.bus.publish(Vec::new(), Some(positions)).await.unwrap();
        self.read_all(topic).await
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[tokio::test]
async fn old_records_are_deleted() {
    let test_bus = TestBus::new(|config| {
        config.retention = RetentionConfig { snapshots: hours(2), ..RetentionConfig::default() };
    })
    .await;
    test_bus.publish(Topic::Snapshots, "host", vec![1]).await;
    test_bus.publish(Topic::Alerts, "incident", vec![1]).await;
    test_bus.advance(hours(1));
    test_bus.publish(Topic::Snapshots, "host", vec![2]).await;
    assert_eq!(test_bus.read_all_after_trim(Topic::Snapshots).await.len(), 2);
    test_bus.advance(hours(1) + Duration::from_secs(1));
    test_bus.publish(Topic::Snapshots, "host", vec![3]).await;
    let offsets: Vec<i64> =
        test_bus.read_all_after_trim(Topic::Snapshots).await.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [1, 2]);
    assert_eq!(test_bus.read_all(Topic::Alerts).await.len(), 1);
}

#[tokio::test]
async fn the_oldest_records_of_a_full_topic_are_deleted_and_the_file_stops_growing() {
    const LIMIT: u64 = 1 << 20;
    let test_bus = TestBus::new(|config| config.max_bytes_per_topic = LIMIT).await;
    test_bus.publish(Topic::Models, "web", vec![9; 900_000]).await;
    let mut sizes = Vec::new();
    for round in 0..40u8 {
        for _ in 0..10 {
            test_bus.publish(Topic::Snapshots, "host", vec![round; 20_000]).await;
        }
        let records = test_bus.read_all_after_trim(Topic::Snapshots).await;
        let bytes: usize = records.iter().map(|record| record.value.len()).sum();
        assert!(bytes as u64 <= LIMIT + LIMIT / 8, "the topic holds {bytes} bytes");
        assert!(records.is_sorted_by(|a, b| a.offset + 1 == b.offset), "an offset is missing");
        sizes.push(fs::metadata(test_bus.directory.config().path.join("bus.sqlite")).unwrap().len());
    }
    assert_eq!(test_bus.read_all(Topic::Snapshots).await.last().unwrap().offset, 399);
    assert!(sizes.iter().all(|size| *size < 4 * LIMIT), "{sizes:?}");
    assert_eq!(test_bus.read_all(Topic::Models).await.len(), 1, "a compacted topic has no size limit");
}

#[tokio::test]
async fn offsets_are_not_used_again_after_all_records_are_deleted() {
    let test_bus = TestBus::new(|config| config.retention.alerts = hours(1)).await;
    for _ in 0..5 {
        test_bus.publish(Topic::Alerts, "incident", vec![1]).await;
    }
    test_bus.advance(hours(2));
    test_bus.publish(Topic::Snapshots, "host", vec![1]).await;
    assert_eq!(test_bus.read_all_after_trim(Topic::Alerts).await, []);
    test_bus.publish(Topic::Alerts, "incident", vec![2]).await;
    assert_eq!(test_bus.read_all(Topic::Alerts).await[0].offset, 5);
}

#[tokio::test]
async fn a_reader_that_fell_behind_continues_at_the_oldest_record() {
    let test_bus = TestBus::new(|config| config.retention.snapshots = hours(1)).await;
    test_bus.publish(Topic::Snapshots, "host", vec![0]).await;
    let mut subscription = test_bus.bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    assert_eq!(subscription.next(1).await.unwrap()[0].offset, 0);
    let cursor = test_bus.bus.end(Topic::Snapshots).await.unwrap();
    for n in 1..4 {
        test_bus.publish(Topic::Snapshots, "host", vec![n]).await;
    }
    test_bus.advance(hours(2));
    test_bus.publish(Topic::Snapshots, "host", vec![4]).await;
    assert_eq!(test_bus.read_all_after_trim(Topic::Snapshots).await.len(), 1);
    assert_eq!(subscription.next(9).await.unwrap()[0].value, [4]);
    assert_eq!(subscription.lost_count(), 3);
    let page = test_bus.bus.read(&cursor, 9, Duration::ZERO).await.unwrap();
    assert_eq!(page.deliveries[0].value, [4]);
}

#[tokio::test]
async fn deleted_records_are_lost_for_a_group_that_had_not_read_them() {
    let test_bus = TestBus::new(|config| config.retention.snapshots = hours(1)).await;
    let mut subscribed_first = test_bus.bus.subscribe("first", &[Topic::Snapshots]).await.unwrap();
    test_bus.publish(Topic::Snapshots, "host", vec![0]).await;
    let mut reader = test_bus.bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let read = reader.next(1).await.unwrap();
    test_bus.bus.publish(Vec::new(), Some(bus::Positions::after("scorer", &read))).await.unwrap();
    test_bus.publish(Topic::Snapshots, "host", vec![1]).await;
    test_bus.advance(hours(2));
    test_bus.publish(Topic::Snapshots, "host", vec![2]).await;
    assert_eq!(test_bus.read_all_after_trim(Topic::Snapshots).await.len(), 1);
    let mut restarted = test_bus.bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let mut subscribed_last = test_bus.bus.subscribe("last", &[Topic::Snapshots]).await.unwrap();
    for (subscription, lost) in [(&mut subscribed_first, 2), (&mut restarted, 1), (&mut subscribed_last, 0)] {
        assert_eq!(subscription.next(9).await.unwrap()[0].value, [2]);
        assert_eq!(subscription.lost_count(), lost);
    }
}

#[tokio::test]
async fn compaction_keeps_the_newest_record_of_a_key_and_a_tombstone_for_a_day() {
    let test_bus = TestBus::new(|_| ()).await;
    for n in 0..5 {
        test_bus.publish(Topic::Incidents, "one", vec![n]).await;
    }
    test_bus.publish(Topic::Incidents, "two", vec![1]).await;
    let records = test_bus.read_all(Topic::Incidents).await;
    let keys_and_offsets: Vec<_> = records.iter().map(|records| (records.key.as_str(), records.offset)).collect();
    assert_eq!(keys_and_offsets, [("one", 4), ("two", 5)]);

    test_bus.publish(Topic::Incidents, "one", Vec::new()).await;
    test_bus.advance(hours(23));
    test_bus.publish(Topic::Alerts, "one", vec![1]).await;
    let records = test_bus.read_all_after_trim(Topic::Incidents).await;
    assert_eq!(records.iter().map(Delivery::is_tombstone).collect::<Vec<_>>(), [false, true]);
    test_bus.advance(hours(2));
    test_bus.publish(Topic::Alerts, "one", vec![1]).await;
    let records = test_bus.read_all_after_trim(Topic::Incidents).await;
    assert_eq!(records.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn a_page_is_limited_in_bytes_but_has_at_least_one_record() {
    let test_bus = TestBus::new(|_| ()).await;
    for _ in 0..3 {
        test_bus.publish(Topic::Snapshots, "host", vec![1; 3 << 20]).await;
    }
    test_bus.publish(Topic::Snapshots, "host", vec![1; 9 << 20]).await;
    let mut cursor = Cursor::start(Topic::Snapshots);
    let mut pages = Vec::new();
    loop {
        let page = test_bus.bus.read(&cursor, usize::MAX, Duration::ZERO).await.unwrap();
        if page.deliveries.is_empty() {
            break;
        }
        pages.push(page.deliveries.len());
        cursor = page.next;
    }
    assert_eq!(pages, [1, 1, 1, 1]);
}

#[tokio::test]
async fn the_file_shrinks_after_many_records_are_deleted() {
    let test_bus = TestBus::new(|config| config.retention.snapshots = hours(1)).await;
    for _ in 0..12 {
        test_bus.publish(Topic::Snapshots, "host", vec![1; 4 << 20]).await;
    }
    let file = test_bus.directory.config().path.join("bus.sqlite");
    let mut smallest = u64::MAX;
    for _ in 0..30 {
        test_bus.advance(hours(2));
        test_bus.publish(Topic::Alerts, "incident", vec![1]).await;
        test_bus.read_all_after_trim(Topic::Alerts).await;
        smallest = smallest.min(fs::metadata(&file).unwrap().len());
    }
    assert!(smallest < 24 << 20, "the file shrank from 48 MB to {smallest} bytes only");
}
