//! Failures that only tests inside the crate can cause: a full disk and corrupt rows.

use rusqlite::Connection;
use schemas::{Timestamp, Topic};
use tempfile::TempDir;

use super::EmbeddedBus;
use crate::{Bus, BusConfig, BusError, Cursor, Positions, Record, for_each};

async fn open() -> (EmbeddedBus, TempDir) {
    let directory = TempDir::new().unwrap();
    let bus = EmbeddedBus::open(&BusConfig { path: directory.path().into(), ..BusConfig::default() }).await.unwrap();
    (bus, directory)
}

/// Changes the file through the connection of the bus.
async fn tamper(bus: &EmbeddedBus, work: impl FnOnce(&mut Connection) -> rusqlite::Result<()> + Send + 'static) {
    bus.store.writer.run(|connection, _| work(connection)).await.unwrap().unwrap();
}

fn record(topic: Topic, bytes: usize) -> Record {
    Record::new(topic, "host", vec![1; bytes], Timestamp(1))
}

#[tokio::test]
async fn a_full_disk_is_reported_and_writes_neither_records_nor_positions() {
    let (bus, _directory) = open().await;
    bus.publish(vec![record(Topic::Snapshots, 10)], None).await.unwrap();
    tamper(&bus, |connection| connection.pragma_update(None, "max_page_count", 30)).await;
    let positions = Positions { group: "scorer".into(), next: vec![(Topic::Snapshots, 0, 1)] };
    let batch = vec![record(Topic::Alerts, 10), record(Topic::Alerts, 1 << 20)];
    let error = bus.publish(batch, Some(positions)).await.unwrap_err();
    assert!(matches!(error, BusError::DiskFull { .. }), "{error}");
    assert!(error.hint().is_some());
    let mut alerts = 0;
    for_each(&bus, Topic::Alerts, |_| alerts += 1).await.unwrap();
    assert_eq!(alerts, 0);
    let mut subscription = bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    assert_eq!(subscription.next(1).await.unwrap()[0].offset, 0);

    tamper(&bus, |connection| connection.pragma_update(None, "max_page_count", 100_000)).await;
    bus.publish(vec![record(Topic::Alerts, 1 << 20)], None).await.unwrap();
}

#[tokio::test]
async fn the_record_with_invalid_headers_is_named() {
    let (bus, _directory) = open().await;
    bus.publish(vec![record(Topic::Alerts, 1)], None).await.unwrap();
    tamper(&bus, |connection| connection.execute("UPDATE records SET headers = x'ff'", []).map(drop)).await;
    let error = bus.read(&Cursor::start(Topic::Alerts), 1, std::time::Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot decode the headers of `detective.alerts`, partition 0, offset 0");
}

#[tokio::test]
async fn a_topic_of_a_later_release_is_skipped() {
    let (bus, _directory) = open().await;
    bus.publish(vec![record(Topic::Alerts, 1)], None).await.unwrap();
    tamper(&bus, |connection| {
        connection.execute_batch(
            "INSERT INTO logs (topic, partition) VALUES ('detective.later', 0);
             INSERT INTO positions VALUES ('readers', 'detective.later', 0, 5);",
        )
    })
    .await;
    let mut subscription = bus.subscribe("readers", &Topic::ALL).await.unwrap();
    assert_eq!(subscription.next(9).await.unwrap().len(), 1);
}
