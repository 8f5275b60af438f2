//! The contract of reading.

use std::time::Duration;

use schemas::Topic;
use tokio::time::timeout;

use super::{Fixture, commit, publish, read_next, record, values, with_timeout};
use crate::Cursor;

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn two_groups_are_independent(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b"]).await;
    let mut scorer = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = read_next(&mut *scorer, 2).await;
    commit(&*bus, "scorer", &read).await;
    drop(scorer);
    let mut page = with_timeout(bus.subscribe("page", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(read_next(&mut *page, 2).await, read);
    publish(&*bus, Topic::Snapshots, "host", &["c"]).await;
    assert_eq!(values(&read_next(&mut *page, 1).await), ["c"]);
    let mut scorer = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&read_next(&mut *scorer, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn another_handle_continues_at_the_positions_of_the_group(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b", "c"]).await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = read_next(&mut *subscription, 2).await;
    commit(&*bus, "scorer", &read).await;
    drop((subscription, bus));
    let bus = fixture.open().await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&read_next(&mut *subscription, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn records_without_published_positions_are_read_again(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b"]).await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = read_next(&mut *subscription, 2).await;
    drop(subscription);
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(read_next(&mut *subscription, 2).await, read);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_subscription_waits_for_a_record_of_its_topics(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots, Topic::Models])).await.unwrap();
    assert!(timeout(Duration::from_millis(300), subscription.next(9)).await.is_err(), "expected no record");
    let reader = tokio::spawn(async move { read_next(&mut *subscription, 1).await });
    publish(&*bus, Topic::Alerts, "incident", &["of another topic"]).await;
    publish(&*bus, Topic::Models, "web", &["model"]).await;
    assert_eq!(values(&with_timeout(reader).await.unwrap()), ["model"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn handles_read_the_records_of_each_other(fixture: &dyn Fixture) {
    let one = fixture.open().await;
    let other = fixture.open().await;
    let mut reader = with_timeout(one.subscribe("page", &[Topic::Alerts])).await.unwrap();
    let waiting = tokio::spawn(async move {
        let first = read_next(&mut *reader, 1).await;
        (first, reader)
    });
    publish(&*other, Topic::Alerts, "incident", &["opened"]).await;
    let (first, mut reader) = with_timeout(waiting).await.unwrap();
    assert_eq!(values(&first), ["opened"]);
    publish(&*other, Topic::Alerts, "incident", &["resolved"]).await;
    publish(&*one, Topic::Alerts, "incident", &["of its own"]).await;
    assert_eq!(values(&read_next(&mut *reader, 2).await), ["resolved", "of its own"]);
    drop(reader);
    with_timeout(one.close()).await;
    commit(&*other, "page", &first).await;
    let mut reader = with_timeout(one.subscribe("page", &[Topic::Alerts])).await.unwrap();
    assert_eq!(values(&read_next(&mut *reader, 1).await), ["resolved"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_dropped_call_has_read_nothing(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let mut found = Vec::new();
    for n in 0..50u32 {
        // Drop the call after a longer time in each round, at every stage of its work.
        let _ = timeout(Duration::from_micros(u64::from(n) * 20), subscription.next(1)).await.map(|read| {
            found.extend(read.unwrap());
        });
        with_timeout(bus.publish(vec![record(Topic::Snapshots, "host", n)], None)).await.unwrap();
    }
    let remaining = 50 - found.len();
    found.extend(read_next(&mut *subscription, remaining).await);
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(values(&found), expected);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn reading_continues_at_its_cursor(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Alerts, "incident", &["a", "b", "c"]).await;
    let first = with_timeout(bus.read(&Cursor::start(Topic::Alerts), 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&first.deliveries), ["a", "b"]);
    let second = with_timeout(bus.read(&first.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&second.deliveries), ["c"]);
    let third = with_timeout(bus.read(&second.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(third.deliveries, []);
    publish(&*bus, Topic::Alerts, "incident", &["d"]).await;
    let fourth = with_timeout(bus.read(&third.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&fourth.deliveries), ["d"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_single_record_is_read_at_its_position(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    for key in ["one", "two", "three", "four"] {
        publish(&*bus, Topic::Healthy, key, &["a", "b", "c"]).await;
    }
    let mut all = Vec::new();
    let mut end = Cursor::start(Topic::Healthy);
    loop {
        let page = with_timeout(bus.read(&end, 10, Duration::ZERO)).await.unwrap();
        end = page.next;
        if page.deliveries.is_empty() {
            break;
        }
        all.extend(page.deliveries);
    }
    assert_eq!(all.len(), 12);
    for key in ["one", "two", "three", "four"] {
        publish(&*bus, Topic::Healthy, key, &["later"]).await;
    }
    for delivery in all.iter().rev().step_by(2) {
        let mut from = end.clone().with_position(delivery.partition, delivery.offset);
        // Later records of other partitions can come first.
        let found = loop {
            let page = with_timeout(bus.read(&from, 1, Duration::ZERO)).await.unwrap();
            let found = page.deliveries.into_iter().next().expect("the record is left to read");
            if found.partition == delivery.partition {
                break found;
            }
            from = page.next;
        };
        assert_eq!(&found, delivery);
    }
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn the_end_of_a_topic_is_after_its_last_record(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let empty = with_timeout(bus.end(Topic::Alerts)).await.unwrap();
    publish(&*bus, Topic::Alerts, "incident", &["a", "b"]).await;
    let end = with_timeout(bus.end(Topic::Alerts)).await.unwrap();
    publish(&*bus, Topic::Alerts, "incident", &["c"]).await;
    let page = with_timeout(bus.read(&end, 10, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&page.deliveries), ["c"]);
    let mut found = Vec::new();
    let mut cursor = empty;
    loop {
        let page = with_timeout(bus.read(&cursor, 10, Duration::ZERO)).await.unwrap();
        if page.deliveries.is_empty() {
            break;
        }
        found.extend(page.deliveries);
        cursor = page.next;
    }
    assert_eq!(values(&found), ["a", "b", "c"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_read_waits_for_the_first_record(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let other = fixture.open().await;
    let end = with_timeout(bus.end(Topic::Alerts)).await.unwrap();
    let waiting = tokio::spawn(async move { bus.read(&end, 10, Duration::MAX).await.unwrap() });
    publish(&*other, Topic::Alerts, "incident", &["opened"]).await;
    assert_eq!(values(&with_timeout(waiting).await.unwrap().deliveries), ["opened"]);
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_read_that_times_out_returns_an_empty_page(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Alerts, "incident", &["before"]).await;
    let end = with_timeout(bus.end(Topic::Alerts)).await.unwrap();
    let page = with_timeout(bus.read(&end, 10, Duration::from_millis(150))).await.unwrap();
    assert_eq!((page.deliveries, page.next), (Vec::new(), end));
}
