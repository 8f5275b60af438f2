//! What is forgotten, and what never.

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

/// A bus whose time stands still until the test moves it.
struct World {
    bus: EmbeddedBus,
    now: Arc<AtomicI64>,
    directory: Directory,
}

impl World {
    async fn new(limits: impl FnOnce(&mut BusConfig)) -> Self {
        let directory = Directory::new();
        let mut config = directory.config();
        limits(&mut config);
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let bus = EmbeddedBus::open_with_clock(&config, Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        World { bus: bus.await.unwrap(), now, directory }
    }

    fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    async fn publish(&self, topic: Topic, key: &str, value: Vec<u8>) {
        self.bus.publish(vec![Record::new(topic, key, value, Timestamp(0))], None).await.unwrap();
    }

    async fn held(&self, topic: Topic) -> Vec<Delivery> {
        let mut held = Vec::new();
        for_each(&self.bus, topic, |delivery| held.push(delivery)).await.unwrap();
        held
    }

    /// What is held once the trim that followed the last publication is over.
    async fn held_after_trim(&self, topic: Topic) -> Vec<Delivery> {
        // The writer does one thing after the other: once it has done this, it has trimmed.
        let positions = bus::Positions { group: "after".into(), next: vec![(Topic::Alerts, 0, 0)] };
        self.bus.publish(Vec::new(), Some(positions)).await.unwrap();
        self.held(topic).await
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[tokio::test]
async fn records_go_when_they_are_too_old() {
    let world = World::new(|config| {
        config.retention = RetentionConfig { snapshots: hours(2), ..RetentionConfig::default() };
    })
    .await;
    world.publish(Topic::Snapshots, "host", vec![1]).await;
    world.publish(Topic::Alerts, "incident", vec![1]).await;
    world.pass(hours(1));
    world.publish(Topic::Snapshots, "host", vec![2]).await;
    assert_eq!(world.held_after_trim(Topic::Snapshots).await.len(), 2);
    world.pass(hours(1) + Duration::from_secs(1));
    world.publish(Topic::Snapshots, "host", vec![3]).await;
    let offsets: Vec<i64> = world.held_after_trim(Topic::Snapshots).await.iter().map(|held| held.offset).collect();
    assert_eq!(offsets, [1, 2]);
    assert_eq!(world.held(Topic::Alerts).await.len(), 1);
}

#[tokio::test]
async fn the_oldest_go_when_they_are_too_many_and_the_file_stops_growing() {
    const LIMIT: u64 = 1 << 20;
    let world = World::new(|config| config.max_bytes_per_topic = LIMIT).await;
    world.publish(Topic::Models, "web", vec![9; 900_000]).await;
    let mut sizes = Vec::new();
    for round in 0..40u8 {
        for _ in 0..10 {
            world.publish(Topic::Snapshots, "host", vec![round; 20_000]).await;
        }
        let held = world.held_after_trim(Topic::Snapshots).await;
        let bytes: usize = held.iter().map(|held| held.value.len()).sum();
        assert!(bytes as u64 <= LIMIT + LIMIT / 8, "{bytes} bytes are held");
        assert!(held.is_sorted_by(|a, b| a.offset + 1 == b.offset), "there is a hole");
        sizes.push(fs::metadata(world.directory.config().path.join("bus.sqlite")).unwrap().len());
    }
    assert_eq!(world.held(Topic::Snapshots).await.last().unwrap().offset, 399);
    assert!(sizes.iter().all(|size| *size < 4 * LIMIT), "{sizes:?}");
    assert_eq!(world.held(Topic::Models).await.len(), 1, "a compacted topic has no limit");
}

#[tokio::test]
async fn offsets_do_not_come_again_after_all_records_are_gone() {
    let world = World::new(|config| config.retention.alerts = hours(1)).await;
    for _ in 0..5 {
        world.publish(Topic::Alerts, "incident", vec![1]).await;
    }
    world.pass(hours(2));
    world.publish(Topic::Snapshots, "host", vec![1]).await;
    assert_eq!(world.held_after_trim(Topic::Alerts).await, []);
    world.publish(Topic::Alerts, "incident", vec![2]).await;
    assert_eq!(world.held(Topic::Alerts).await[0].offset, 5);
}

#[tokio::test]
async fn a_reader_that_fell_behind_goes_on_at_the_oldest_that_is_left() {
    let world = World::new(|config| config.retention.snapshots = hours(1)).await;
    world.publish(Topic::Snapshots, "host", vec![0]).await;
    let mut subscription = world.bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    assert_eq!(subscription.next(1).await.unwrap()[0].offset, 0);
    let cursor = world.bus.end(Topic::Snapshots).await.unwrap();
    for n in 1..4 {
        world.publish(Topic::Snapshots, "host", vec![n]).await;
    }
    world.pass(hours(2));
    world.publish(Topic::Snapshots, "host", vec![4]).await;
    assert_eq!(world.held_after_trim(Topic::Snapshots).await.len(), 1);
    assert_eq!(subscription.next(9).await.unwrap()[0].value, [4]);
    let page = world.bus.read(&cursor, 9, Duration::ZERO).await.unwrap();
    assert_eq!(page.deliveries[0].value, [4]);
}

#[tokio::test]
async fn compaction_leaves_one_record_of_a_key_and_a_tombstone_for_a_day() {
    let world = World::new(|_| ()).await;
    for n in 0..5 {
        world.publish(Topic::Incidents, "one", vec![n]).await;
    }
    world.publish(Topic::Incidents, "two", vec![1]).await;
    let held = world.held(Topic::Incidents).await;
    let keys_and_offsets: Vec<_> = held.iter().map(|held| (held.key.as_str(), held.offset)).collect();
    assert_eq!(keys_and_offsets, [("one", 4), ("two", 5)]);

    world.publish(Topic::Incidents, "one", Vec::new()).await;
    world.pass(hours(23));
    world.publish(Topic::Alerts, "one", vec![1]).await;
    let held = world.held_after_trim(Topic::Incidents).await;
    assert_eq!(held.iter().map(Delivery::is_tombstone).collect::<Vec<_>>(), [false, true]);
    world.pass(hours(2));
    world.publish(Topic::Alerts, "one", vec![1]).await;
    let held = world.held_after_trim(Topic::Incidents).await;
    assert_eq!(held.iter().map(|held| held.key.as_str()).collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_but_holds_at_least_a_record() {
    let world = World::new(|_| ()).await;
    for _ in 0..3 {
        world.publish(Topic::Snapshots, "host", vec![1; 3 << 20]).await;
    }
    world.publish(Topic::Snapshots, "host", vec![1; 9 << 20]).await;
    let mut cursor = Cursor::start(Topic::Snapshots);
    let mut pages = Vec::new();
    loop {
        let page = world.bus.read(&cursor, usize::MAX, Duration::ZERO).await.unwrap();
        if page.deliveries.is_empty() {
            break;
        }
        pages.push(page.deliveries.len());
        cursor = page.next;
    }
    assert_eq!(pages, [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_topic_that_shrinks_gives_its_pages_back() {
    let world = World::new(|config| config.retention.snapshots = hours(1)).await;
    for _ in 0..12 {
        world.publish(Topic::Snapshots, "host", vec![1; 4 << 20]).await;
    }
    let file = world.directory.config().path.join("bus.sqlite");
    let mut smallest = u64::MAX;
    for _ in 0..30 {
        world.pass(hours(2));
        world.publish(Topic::Alerts, "incident", vec![1]).await;
        world.held_after_trim(Topic::Alerts).await;
        smallest = smallest.min(fs::metadata(&file).unwrap().len());
    }
    assert!(smallest < 24 << 20, "{smallest} bytes are left of 48 million");
}
