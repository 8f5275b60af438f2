//! The contract of rejected records.

use schemas::{Timestamp, Topic};

use super::{Fixture, MAX_RECORD_BYTES, PARTITIONS, publish, read_all, read_next, record, values, with_timeout};
use crate::{Bus, Delivery, ErrorClass, Positions, Record, Replacement, replace_rejected};

fn limit() -> usize {
    usize::try_from(MAX_RECORD_BYTES).unwrap()
}

/// Publishes like a program: replaces rejected records until the bus accepts the rest. Returns the
/// replacements.
async fn publish_accepted(bus: &dyn Bus, mut records: Vec<Record>, positions: Option<Positions>) -> Vec<Replacement> {
    let mut replacements = Vec::new();
    while let Err(error) = with_timeout(bus.publish(records.clone(), positions.clone())).await {
        assert_eq!(error.class(), ErrorClass::Rejected, "{error}");
        replacements.push(replace_rejected(&mut records, &error).unwrap());
        assert!(replacements.len() < 100, "{replacements:?}");
    }
    replacements
}

fn header(delivery: &Delivery, name: &str) -> String {
    String::from_utf8(delivery.header(name).unwrap_or_default().to_vec()).unwrap()
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn rejected_records_become_dead_letters_and_the_others_are_published(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    publish(&*bus, Topic::Snapshots, "host", &["before", "after"]).await;
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    let read = read_next(&mut *subscription, 1).await;
    let batch = vec![
        record(Topic::Alerts, "good", 1),
        record(Topic::Alerts, "no partition", 2).with_partition(i32::from(PARTITIONS)),
        Record::new(Topic::Healthy, "too large", vec![7; limit() + 1], Timestamp(1))
            .with_header("why", "not this reason")
            .with_header("value-bytes", "1"),
        record(Topic::Alerts, "good", 3),
    ];
    publish_accepted(&*bus, batch, Some(Positions::after("scorer", &read))).await;
    assert_eq!(values(&read_all(&*bus, Topic::Alerts).await), ["1", "3"]);
    let mut letters = read_all(&*bus, Topic::DeadLetter).await;
    letters.sort_by(|a, b| a.key.cmp(&b.key));
    let [of_partition, of_size] = &letters[..] else { panic!("{} dead letters", letters.len()) };
    assert_eq!((of_partition.key.as_str(), &of_partition.value[..]), ("no partition", &b"2"[..]));
    assert_eq!(header(of_partition, "from"), format!("detective.alerts/{PARTITIONS}"));
    assert!(header(of_partition, "why").contains("expected a partition"), "{}", header(of_partition, "why"));
    assert_eq!(header(of_size, "from"), "detective.healthy");
    assert!(header(of_size, "why").contains("expected at most"), "{}", header(of_size, "why"));
    assert_eq!(header(of_size, "value-bytes"), (limit() + 1).to_string());
    assert_eq!(of_size.value.len(), limit() / 2);

    drop(subscription);
    let mut subscription = with_timeout(bus.subscribe("scorer", &[Topic::Snapshots])).await.unwrap();
    assert_eq!(values(&read_next(&mut *subscription, 1).await), ["after"], "the positions did not move");
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn the_dead_letter_of_a_record_just_below_the_limit_is_truncated(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let garbage = Record::new(Topic::Snapshots, "host", vec![7; limit() - "host".len()], Timestamp(1));
    with_timeout(bus.publish(vec![garbage.clone()], None)).await.unwrap();
    let found = read_all(&*bus, Topic::Snapshots).await;
    let letter = found[0].to_dead_letter("expected Avro");
    assert_eq!(publish_accepted(&*bus, vec![letter], None).await, [Replacement::ShorterDeadLetter]);
    let letters = read_all(&*bus, Topic::DeadLetter).await;
    assert_eq!(letters[0].value, garbage.value[..garbage.value.len() / 2]);
    assert_eq!(header(&letters[0], "value-bytes"), garbage.value.len().to_string());
    assert_eq!(header(&letters[0], "why"), "expected Avro");
    assert_eq!(header(&letters[0], "from"), format!("detective.snapshots/{}/{}", found[0].partition, found[0].offset));
}

#[expect(missing_docs, reason = "the name describes the test")]
pub async fn a_dead_letter_keeps_its_reason_however_long_key_and_headers_are(fixture: &dyn Fixture) {
    let bus = fixture.open().await;
    let key = "é".repeat(limit() / 4);
    let mut delivery = Delivery {
        topic: Topic::Snapshots,
        partition: 1,
        offset: 7,
        key: key.clone(),
        headers: Vec::new(),
        value: vec![7; 9],
        time: Timestamp(1),
    };
    delivery.headers.push(("x".to_owned(), vec![7; limit()]));
    publish_accepted(&*bus, vec![delivery.to_dead_letter("expected Avro")], None).await;
    let letters = read_all(&*bus, Topic::DeadLetter).await;
    let letter = &letters[0];
    assert!(key.starts_with(&letter.key) && letter.key.len() < 1000, "{} bytes", letter.key.len());
    let headers = ["why", "value-bytes", "key-bytes", "headers-removed"].map(|name| header(letter, name));
    assert_eq!(headers, ["expected Avro".to_owned(), "9".to_owned(), key.len().to_string(), "1".to_owned()]);
}
