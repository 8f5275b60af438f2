//! What is promised to those who publish.

use std::collections::BTreeMap;

use schemas::{Timestamp, Topic};

use super::{MAX_RECORD_BYTES, PARTITIONS, Place, commit, held, publish, record, soon, take, values};
use crate::{BusError, Cursor, Positions, Record, partition_of};

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn records_come_as_they_were_published(place: &dyn Place) {
    let bus = place.open().await;
    let whole = Record::new(Topic::DeadLetter, "clé", vec![0, 255, 10], Timestamp(1_700_000_000_123))
        .header("ce_type", "alert")
        .header("reason", vec![0, 159])
        .header("ce_type", "again");
    let bare = Record::new(Topic::DeadLetter, "", Vec::new(), Timestamp(1));
    soon(bus.publish(vec![whole.clone(), bare.clone()], None)).await.unwrap();
    let mut found = held(&*bus, Topic::DeadLetter).await;
    found.sort_by_key(|delivery| delivery.key.is_empty());
    assert_eq!(found.len(), 2);
    for (delivery, sent) in found.into_iter().zip([whole, bare]) {
        assert_eq!(delivery.topic, sent.topic);
        assert_eq!(delivery.partition, partition_of(&sent.key, PARTITIONS));
        assert_eq!((delivery.key, delivery.headers, delivery.value), (sent.key, sent.headers, sent.value));
        assert!(delivery.time >= sent.time, "{:?}", delivery.time);
    }
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn records_of_one_key_keep_their_order(place: &dyn Place) {
    let bus = place.open().await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..30 {
        let records = (0..7).map(|host| record(Topic::Snapshots, &format!("host-{host}"), round)).collect();
        soon(bus.publish(records, None)).await.unwrap();
        for host in 0..7 {
            expected.entry(format!("host-{host}")).or_default().push(round.to_string());
        }
    }
    let mut subscription = soon(bus.subscribe("readers", &[Topic::Snapshots])).await.unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for delivery in take(&mut *subscription, 210).await {
        found.entry(delivery.key).or_default().push(String::from_utf8(delivery.value).unwrap());
    }
    assert_eq!(found, expected);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn offsets_grow_by_one_in_each_partition(place: &dyn Place) {
    let bus = place.open().await;
    for partition in [0, 2, 2, 0, 2] {
        let record = record(Topic::Alerts, "incident", 1).to_partition(partition);
        soon(bus.publish(vec![record], None)).await.unwrap();
    }
    let found = held(&*bus, Topic::Alerts).await;
    let offsets = |partition: i32| -> Vec<i64> {
        found.iter().filter(|delivery| delivery.partition == partition).map(|delivery| delivery.offset).collect()
    };
    let (first, last) = (offsets(0), offsets(2));
    assert_eq!((first.len(), last.len()), (2, 3));
    // A bus may spend offsets of its own on transactions, so it is the order that counts, not the distance.
    assert!(first.is_sorted_by(|a, b| a < b) && last.is_sorted_by(|a, b| a < b), "{first:?} {last:?}");
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_chosen_partition_is_kept(place: &dyn Place) {
    let bus = place.open().await;
    let records = (0..i32::from(PARTITIONS)).map(|p| record(Topic::Alerts, "same", p).to_partition(p)).collect();
    soon(bus.publish(records, None)).await.unwrap();
    let found = held(&*bus, Topic::Alerts).await;
    assert_eq!(found.len(), usize::from(PARTITIONS));
    for delivery in found {
        assert_eq!(values(std::slice::from_ref(&delivery)), [delivery.partition.to_string()]);
    }
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn an_unknown_partition_is_named_and_nothing_happens(place: &dyn Place) {
    for wrong in [i32::from(PARTITIONS), -1] {
        let bad = record(Topic::Alerts, "incident", 1).to_partition(wrong);
        let error = refused(place, bad).await;
        assert!(
            matches!(error, BusError::UnknownPartition { topic: Topic::Alerts, found, .. } if found == wrong),
            "{error}"
        );
    }
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_record_that_is_too_large_is_named_and_nothing_happens(place: &dyn Place) {
    let size = usize::try_from(MAX_RECORD_BYTES).unwrap() + 1;
    let error = refused(place, Record::new(Topic::Models, "cohort", vec![1; size], Timestamp(1))).await;
    let text = error.to_string();
    assert!(matches!(error, BusError::RecordTooLarge { .. }), "{text}");
    assert!(text.contains("`cohort`") && text.contains("`detective.models`"), "{text}");
}

/// Why the bus refuses `bad` between good records, after it is seen that none of them arrived.
async fn refused(place: &dyn Place, bad: Record) -> BusError {
    let bus = place.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["before"]).await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = take(&mut *subscription, 1).await;
    let topic = bad.topic;
    let batch = vec![record(topic, "good", 1), bad, record(topic, "good", 2)];
    let error = soon(bus.publish(batch, Some(Positions::after("scorer", &read)))).await.unwrap_err();
    assert_eq!(held(&*bus, topic).await, [], "a record of a refused publication arrived");
    drop(subscription);
    let mut again = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(take(&mut *again, 1).await, read, "positions of a refused publication moved");
    error
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn positions_move_with_the_records_or_alone(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b", "c"]).await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let first = take(&mut *subscription, 1).await;
    let alert = vec![record(Topic::Alerts, "incident", "opened")];
    soon(bus.publish(alert, Some(Positions::after("scorer", &first)))).await.unwrap();
    assert_eq!(values(&held(&*bus, Topic::Alerts).await), ["opened"]);

    drop(subscription);
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let second = take(&mut *subscription, 1).await;
    assert_eq!(values(&second), ["b"]);
    commit(&*bus, "scorer", &second).await;
    drop(subscription);
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&take(&mut *subscription, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_large_batch_arrives_whole(place: &dyn Place) {
    const RECORDS: usize = 2500;
    let bus = place.open().await;
    let value = |n: usize| [&n.to_le_bytes()[..], &[7; 4000]].concat();
    let sent = (0..RECORDS).map(|n| Record::new(Topic::Healthy, "host", value(n), Timestamp(1))).collect();
    soon(bus.publish(sent, None)).await.unwrap();
    let mut subscription = soon(bus.subscribe("trainer", &[Topic::Healthy])).await.unwrap();
    let found = take(&mut *subscription, RECORDS).await;
    assert!((0..).zip(&found).all(|(n, delivery)| delivery.value == value(n)), "a record is missing or moved");
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn publishers_at_once_lose_nothing(place: &dyn Place) {
    const EACH: usize = 40;
    let mut publishers = Vec::new();
    for publisher in 0..3 {
        let bus = place.open().await;
        publishers.push(tokio::spawn(async move {
            for n in 0..EACH {
                let record = record(Topic::Snapshots, &publisher.to_string(), n).to_partition(0);
                bus.publish(vec![record], None).await.unwrap();
            }
        }));
    }
    for publisher in publishers {
        soon(publisher).await.unwrap();
    }
    let bus = place.open().await;
    let found = held(&*bus, Topic::Snapshots).await;
    for publisher in 0..3 {
        let key = publisher.to_string();
        let of_one: Vec<_> = found.iter().filter(|delivery| delivery.key == key).cloned().collect();
        let expected: Vec<String> = (0..EACH).map(|n| n.to_string()).collect();
        assert_eq!(values(&of_one), expected);
    }
    assert!(found.is_sorted_by(|a, b| a.offset < b.offset), "an offset was given out twice");
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_compacted_topic_keeps_the_newest_record_of_each_key(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Models, "web", &["1", "2", "3"]).await;
    publish(&*bus, Topic::Models, "db", &["1"]).await;
    publish(&*bus, Topic::Models, "web", &["4"]).await;
    let end = soon(bus.end(Topic::Models)).await.unwrap();
    assert_eq!(newest(&held(&*bus, Topic::Models).await), [("db".into(), "1".into()), ("web".into(), "4".into())]);
    publish(&*bus, Topic::Models, "db", &["2"]).await;
    let page = soon(bus.read(&end, 10, std::time::Duration::ZERO)).await.unwrap();
    assert_eq!(newest(&page.deliveries), [("db".into(), "2".into())]);
    assert_ne!(page.next, Cursor::start(Topic::Models));
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_tombstone_ends_a_key(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Incidents, "one", &["open"]).await;
    publish(&*bus, Topic::Incidents, "two", &["open"]).await;
    publish(&*bus, Topic::Incidents, "one", &[""]).await;
    assert_eq!(newest(&held(&*bus, Topic::Incidents).await), [("two".into(), "open".into())]);
    publish(&*bus, Topic::Incidents, "one", &["again"]).await;
    let expected = [("one".into(), "again".into()), ("two".into(), "open".into())];
    assert_eq!(newest(&held(&*bus, Topic::Incidents).await), expected);
}

/// What a reader of a compacted topic makes of it, sooner or later compacted.
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
