//! What is promised to those who read.

use std::time::Duration;

use schemas::Topic;
use tokio::time::timeout;

use super::{Place, commit, publish, record, soon, take, values};
use crate::Cursor;

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn two_groups_are_independent(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b"]).await;
    let mut scorer = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = take(&mut *scorer, 2).await;
    commit(&*bus, "scorer", &read).await;
    drop(scorer);
    let mut page = soon(bus.subscribe("page", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(take(&mut *page, 2).await, read);
    publish(&*bus, Topic::Snapshots, "host", &["c"]).await;
    assert_eq!(values(&take(&mut *page, 1).await), ["c"]);
    let mut scorer = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&take(&mut *scorer, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn another_handle_goes_on_where_the_group_stood(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b", "c"]).await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = take(&mut *subscription, 2).await;
    commit(&*bus, "scorer", &read).await;
    drop((subscription, bus));
    let bus = place.open().await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&take(&mut *subscription, 1).await), ["c"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn what_was_not_committed_comes_again(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["a", "b"]).await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = take(&mut *subscription, 2).await;
    drop(subscription);
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(take(&mut *subscription, 2).await, read);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_subscription_waits_and_wakes(place: &dyn Place) {
    let bus = place.open().await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots, Topic::Models])).await.unwrap();
    assert!(timeout(Duration::from_millis(300), subscription.next(9)).await.is_err(), "there was nothing to read");
    let reader = tokio::spawn(async move { take(&mut *subscription, 1).await });
    publish(&*bus, Topic::Alerts, "incident", &["of another topic"]).await;
    publish(&*bus, Topic::Models, "web", &["model"]).await;
    assert_eq!(values(&soon(reader).await.unwrap()), ["model"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn handles_see_the_records_of_each_other(place: &dyn Place) {
    let (one, other) = (place.open().await, place.open().await);
    let mut reader = soon(one.subscribe("page", &[Topic::Alerts])).await.unwrap();
    let waiting = tokio::spawn(async move {
        let first = take(&mut *reader, 1).await;
        (first, reader)
    });
    publish(&*other, Topic::Alerts, "incident", &["opened"]).await;
    let (first, mut reader) = soon(waiting).await.unwrap();
    assert_eq!(values(&first), ["opened"]);
    publish(&*other, Topic::Alerts, "incident", &["resolved"]).await;
    publish(&*one, Topic::Alerts, "incident", &["of its own"]).await;
    assert_eq!(values(&take(&mut *reader, 2).await), ["resolved", "of its own"]);
    drop(reader);
    soon(one.close()).await;
    commit(&*other, "page", &first).await;
    let mut reader = soon(one.subscribe("page", &[Topic::Alerts])).await.unwrap();
    assert_eq!(values(&take(&mut *reader, 1).await), ["resolved"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_dropped_call_has_read_nothing(place: &dyn Place) {
    let bus = place.open().await;
    let mut subscription = soon(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let mut found = Vec::new();
    for n in 0..50u32 {
        // Polled once and dropped, then a little longer each time: somewhere on the way to its answer.
        let _ = timeout(Duration::from_micros(u64::from(n) * 20), subscription.next(1)).await.map(|read| {
            found.extend(read.unwrap());
        });
        soon(bus.publish(vec![record(Topic::Snapshots, "host", n)], None)).await.unwrap();
    }
    let left = 50 - found.len();
    found.extend(take(&mut *subscription, left).await);
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(values(&found), expected);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn reading_goes_on_from_its_cursor(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Alerts, "incident", &["a", "b", "c"]).await;
    let first = soon(bus.read(&Cursor::start(Topic::Alerts), 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&first.deliveries), ["a", "b"]);
    let second = soon(bus.read(&first.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&second.deliveries), ["c"]);
    let third = soon(bus.read(&second.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(third.deliveries, []);
    publish(&*bus, Topic::Alerts, "incident", &["d"]).await;
    let fourth = soon(bus.read(&third.next, 2, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&fourth.deliveries), ["d"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn the_end_of_a_topic_is_behind_what_it_holds(place: &dyn Place) {
    let bus = place.open().await;
    let empty = soon(bus.end(Topic::Alerts)).await.unwrap();
    publish(&*bus, Topic::Alerts, "incident", &["a", "b"]).await;
    let end = soon(bus.end(Topic::Alerts)).await.unwrap();
    publish(&*bus, Topic::Alerts, "incident", &["c"]).await;
    let page = soon(bus.read(&end, 10, Duration::ZERO)).await.unwrap();
    assert_eq!(values(&page.deliveries), ["c"]);
    let (mut found, mut place) = (Vec::new(), empty);
    loop {
        let page = soon(bus.read(&place, 10, Duration::ZERO)).await.unwrap();
        if page.deliveries.is_empty() {
            break;
        }
        found.extend(page.deliveries);
        place = page.next;
    }
    assert_eq!(values(&found), ["a", "b", "c"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_read_waits_for_the_first_record(place: &dyn Place) {
    let (bus, other) = (place.open().await, place.open().await);
    let end = soon(bus.end(Topic::Alerts)).await.unwrap();
    let waiting = tokio::spawn(async move { bus.read(&end, 10, Duration::MAX).await.unwrap() });
    publish(&*other, Topic::Alerts, "incident", &["opened"]).await;
    assert_eq!(values(&soon(waiting).await.unwrap().deliveries), ["opened"]);
}

#[expect(missing_docs, reason = "the name is the promise")]
pub async fn a_read_that_waits_in_vain_is_empty(place: &dyn Place) {
    let bus = place.open().await;
    publish(&*bus, Topic::Alerts, "incident", &["before"]).await;
    let end = soon(bus.end(Topic::Alerts)).await.unwrap();
    let page = soon(bus.read(&end, 10, Duration::from_millis(150))).await.unwrap();
    assert_eq!((page.deliveries, page.next), (Vec::new(), end));
}
