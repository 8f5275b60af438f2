//! The contract of publishing.

use std::collections::BTreeMap;

use schemas::{Timestamp, Topic};

use super::{
    Fixture, MAX_RECORD_BYTES, PARTITIONS, commit, publish, read_all, read_next, record, values, with_timeout,
};
use crate::{BusError, Cursor, Positions, Record, partition_for_key};

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn records_are_read_as_they_were_published(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let full = Record::new(Topic::DeadLetter, "clé", vec![0, 255, 10], Timestamp(1_700_000_000_123))
        .with_header("ce_type", "alert")
        .with_header("reason", vec![0, 159])
        .with_header("ce_type", "again");
    let empty = Record::new(Topic::DeadLetter, "", Vec::new(), Timestamp(1));
    with_timeout(bus.publish(vec![full.clone(), empty.clone()], None)).await.unwrap();
    let mut found = read_all(&*bus, Topic::DeadLetter).await;
    found.sort_by_key(|delivery| delivery.key.is_empty());
    assert_eq!(found.len(), 2);
    for (delivery, sent) in found.into_iter().zip([full, empty]) {
        assert_eq!(delivery.topic, sent.topic);
        assert_eq!(delivery.partition, partition_for_key(&sent.key, PARTITIONS));
        assert_eq!((delivery.key, delivery.headers, delivery.value), (sent.key, sent.headers, sent.value));
        assert!(delivery.time >= sent.time, "{:?}", delivery.time);
    }
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn records_of_one_key_keep_their_order(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..30 {
        let records = (0..7).map(|host| record(Topic::Snapshots, &format!("host-{host}"), round)).collect();
        with_timeout(bus.publish(records, None)).await.unwrap();
        for host in 0..7 {
            expected.entry(format!("host-{host}")).or_default().push(round.to_string());
        }
    }
    let mut subscription = with_timeout(bus.subscribe("readers", &[Topic::Snapshots])).await.unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for delivery in read_next(&mut *subscription, 210).await {
        found.entry(delivery.key).or_default().push(String::from_utf8(delivery.value).unwrap());
    }
    assert_eq!(found, expected);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn offsets_increase_in_each_partition(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    for partition in [0, 2, 2, 0, 2] {
        let record = record(Topic::Alerts, "incident", 1).with_partition(partition);
        with_timeout(bus.publish(vec![record], None)).await.unwrap();
    }
    let found = read_all(&*bus, Topic::Alerts).await;
    let offsets = |partition: i32| -> Vec<i64> {
        found.iter().filter(|delivery| delivery.partition == partition).map(|delivery| delivery.offset).collect()
    };
    let first = offsets(0);
    let last = offsets(2);
    assert_eq!((first.len(), last.len()), (2, 3));
    // Kafka uses offsets for transactions too, so there can be gaps.
    assert!(first.is_sorted_by(|a, b| a < b) && last.is_sorted_by(|a, b| a < b), "{first:?} {last:?}");
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_chosen_partition_is_kept(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let records = (0..i32::from(PARTITIONS)).map(|p| record(Topic::Alerts, "same", p).with_partition(p)).collect();
    with_timeout(bus.publish(records, None)).await.unwrap();
    let found = read_all(&*bus, Topic::Alerts).await;
    assert_eq!(found.len(), usize::from(PARTITIONS));
    for delivery in found {
        assert_eq!(values(std::slice::from_ref(&delivery)), [delivery.partition.to_string()]);
    }
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn an_unknown_partition_is_named_and_nothing_is_published(fixture: &dyn Fixture) {
    for wrong in [i32::from(PARTITIONS), -1] {
        let bad = record(Topic::Alerts, "incident", 1).with_partition(wrong);
        let error = rejection_of(fixture, bad).await;
        assert!(
            matches!(error, BusError::UnknownPartition { topic: Topic::Alerts, found, .. } if found == wrong),
            "{error}"
        );
    }
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_record_that_is_too_large_is_named_and_nothing_is_published(fixture: &dyn Fixture) {
    let size = usize::try_from(MAX_RECORD_BYTES).unwrap() + 1;
    let error = rejection_of(fixture, Record::new(Topic::Models, "cohort", vec![1; size], Timestamp(1))).await;
    let text = error.to_string();
    assert!(matches!(error, BusError::RecordTooLarge { .. }), "{text}");
    assert!(text.contains("`cohort`") && text.contains("`detective.models`"), "{text}");
}

/// Publishes `bad` between valid records, and returns the error. Checks that none was published.
async fn rejection_of(fixture: &dyn Fixture, bad: Record) -> BusError {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["before"]).await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = read_next(&mut *subscription, 1).await;
    let topic = bad.topic;
    let batch = vec![record(topic, "good", 1), bad, record(topic, "good", 2)];
    let error = with_timeout(bus.publish(batch, Some(Positions::after("scorer", &read)))).await.unwrap_err();
    assert_eq!(read_all(&*bus, topic).await, [], "a record of a rejected publication was stored");
    drop(subscription);
    let mut again = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(read_next(&mut *again, 1).await, read, "the positions of a rejected publication moved");
    error
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn positions_move_with_records_or_alone(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b", "c"]).await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let first = read_next(&mut *subscription, 1).await;
    let alert = vec![record(Topic::Alerts, "incident", "opened")];
    with_timeout(bus.publish(alert, Some(Positions::after("scorer", &first)))).await.unwrap();
    assert_eq!(values(&read_all(&*bus, Topic::Alerts).await), ["opened"]);

    drop(subscription);
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let second = read_next(&mut *subscription, 1).await;
    assert_eq!(values(&second), ["b"]);
    commit(&*bus, "scorer", &second).await;
    drop(subscription);
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&read_next(&mut *subscription, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_large_batch_is_published_completely(fixture: &dyn Fixture) {
    const RECORDS: usize = 2500;
    let bus = fixture.open().await;
    let value = |n: usize| [&n.to_le_bytes()[..], &[7; 4000]].concat();
    let sent = (0..RECORDS).map(|n| Record::new(Topic::Healthy, "host", value(n), Timestamp(1))).collect();
    with_timeout(bus.publish(sent, None)).await.unwrap();
    let mut subscription = with_timeout(bus.subscribe("trainer", &[Topic::Healthy])).await.unwrap();
    let found = read_next(&mut *subscription, RECORDS).await;
    assert!((0..).zip(&found).all(|(n, delivery)| delivery.value == value(n)), "a record is missing or out of order");
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn concurrent_publishers_lose_no_record(fixture: &dyn Fixture) {
    const EACH: usize = 40;
    let mut publishers = Vec::new();
    for publisher in 0..3 {
        let bus = fixture.open().await;
        publishers.push(tokio::spawn(async move {
            for n in 0..EACH {
                let record = record(Topic::Snapshots, &publisher.to_string(), n).with_partition(0);
                bus.publish(vec![record], None).await.unwrap();
            }
        }));
    }
    for publisher in publishers {
        with_timeout(publisher).await.unwrap();
    }
    let bus = fixture.open().await;
    let found = read_all(&*bus, Topic::Snapshots).await;
    for publisher in 0..3 {
        let key = publisher.to_string();
        let from_publisher: Vec<_> = found.iter().filter(|delivery| delivery.key == key).cloned().collect();
        let expected: Vec<String> = (0..EACH).map(|n| n.to_string()).collect();
        assert_eq!(values(&from_publisher), expected);
    }
    assert!(found.is_sorted_by(|a, b| a.offset < b.offset), "an offset was used twice");
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_compacted_topic_keeps_the_newest_record_of_each_key(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Models, "web", &["1", "2", "3"]).await;
    publish(&*bus, Topic::Models, "db", &["1"]).await;
    publish(&*bus, Topic::Models, "web", &["4"]).await;
    let end = with_timeout(bus.end(Topic::Models)).await.unwrap();
    assert_eq!(newest(&read_all(&*bus, Topic::Models).await), [("db".into(), "1".into()), ("web".into(), "4".into())]);
    publish(&*bus, Topic::Models, "db", &["2"]).await;
    let page = with_timeout(bus.read(&end, 10, std::time::Duration::ZERO)).await.unwrap();
    assert_eq!(newest(&page.deliveries), [("db".into(), "2".into())]);
    assert_ne!(page.next, Cursor::start(Topic::Models));
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_tombstone_deletes_a_key(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Incidents, "one", &["open"]).await;
    publish(&*bus, Topic::Incidents, "two", &["open"]).await;
    publish(&*bus, Topic::Incidents, "one", &[""]).await;
    assert_eq!(newest(&read_all(&*bus, Topic::Incidents).await), [("two".into(), "open".into())]);
    publish(&*bus, Topic::Incidents, "one", &["again"]).await;
    let expected = [("one".into(), "again".into()), ("two".into(), "open".into())];
    assert_eq!(newest(&read_all(&*bus, Topic::Incidents).await), expected);
}

/// The newest value of each key, whether the topic has been compacted yet or not.
fn newest(deliveries: &[crate::Delivery]) -> Vec<(String, String)> {
    let mut newest = BTreeMap::new();
    for delivery in deliveries {
        if delivery.is_tombstone() {
            newest.remove(&delivery.key);
        } else {
            newest.insert(delivery.key.clone(), String::from_utf8(delivery.value.clone()).unwrap());
        }
    }
    newest.into_iter().collect()
}
