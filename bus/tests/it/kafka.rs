//! The bus on a real Apache Kafka: the contract, and properties of its own.

mod proxy;
mod transactions;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{
    Bus, BusConfig, BusError, BusKind, KafkaBus, KafkaConfig, Positions, Record, Subscription,
    contract::{Fixture, MAX_RECORD_BYTES, PARTITIONS},
    topics,
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use schemas::{Timestamp, Topic};

/// Environment variable with the address of a broker for tests.
const BROKER: &str = "DETECTIVE_KAFKA";

/// Topics with a unique prefix, on a cluster that all tests share.
struct Cluster {
    config: BusConfig,
}

impl Cluster {
    fn new() -> Self {
        let brokers =
            std::env::var(BROKER).unwrap_or_else(|_| panic!("{BROKER} must name a broker: see `cargo xtask kafka up`"));
        let kafka = KafkaConfig {
            brokers,
            prefix: format!("{}.", uuid::Uuid::new_v4()),
            partitions: PARTITIONS,
            ..KafkaConfig::default()
        };
        let config =
            BusConfig { kind: BusKind::Kafka, kafka, max_record_bytes: MAX_RECORD_BYTES, ..BusConfig::default() };
        Cluster { config }
    }

    async fn with_topics() -> Self {
        let cluster = Cluster::new();
        topics::apply(&cluster.config).await.unwrap();
        cluster
    }

    async fn bus(&self) -> KafkaBus {
        KafkaBus::open(&self.config).await.unwrap()
    }
}

#[async_trait]
impl Fixture for Cluster {
    async fn open(&self) -> Arc<dyn Bus> {
        topics::apply(&self.config).await.unwrap();
        Arc::new(self.bus().await)
    }
}

mod contract {
    use super::Cluster;

    bus::contract_tests!(Cluster::new(), #[ignore = "needs Kafka"]);
}

fn record(topic: Topic, value: &str) -> Record {
    Record::new(topic, "host", value.as_bytes().to_vec(), Timestamp(1_700_000_000_000))
}

/// Bytes that cannot be compressed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..size).map(|_| next()).collect()
}

async fn with_timeout<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("a result within a minute")
}

async fn next_values(subscription: &mut dyn Subscription, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < count {
        let more = with_timeout(subscription.next(count - found.len())).await.unwrap();
        found.extend(more.into_iter().map(|delivery| String::from_utf8(delivery.value).unwrap()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_superseded_member_cannot_publish() {
    let cluster = Cluster::with_topics().await;
    let one = cluster.bus().await;
    let other = cluster.bus().await;
    one.publish(vec![record(Topic::Snapshots, "a")], None).await.unwrap();
    let mut first = one.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let read = with_timeout(first.next(1)).await.unwrap();
    let rebalances = first.rebalance_count();

    // Another member joins, and the first one takes part in the rebalance.
    let mut second = other.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let rebalance = async {
        while first.rebalance_count() == rebalances {
            let _ = tokio::time::timeout(Duration::from_millis(50), first.next(1)).await;
            let _ = tokio::time::timeout(Duration::from_millis(50), second.next(1)).await;
        }
    };
    with_timeout(rebalance).await;
    let stale = one.publish(vec![record(Topic::Alerts, "opened")], Some(Positions::after("scorer", &read))).await;
    // The first member has not read since, or it would have the new membership and succeed.
    match stale {
        Err(BusError::Superseded { group }) => assert_eq!(group, "scorer"),
        other => panic!("{other:?}"),
    }
    let mut alerts = 0;
    bus::for_each(&other, Topic::Alerts, |_| alerts += 1).await.unwrap();
    assert_eq!(alerts, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_member_that_leaves_is_replaced_immediately() {
    let cluster = Cluster::with_topics().await;
    let one = cluster.bus().await;
    let other = cluster.bus().await;
    one.publish(vec![record(Topic::Snapshots, "a"), record(Topic::Snapshots, "b")], None).await.unwrap();
    let mut first = one.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let read = with_timeout(first.next(1)).await.unwrap();
    one.publish(Vec::new(), Some(Positions::after("scorer", &read))).await.unwrap();
    drop(first);
    with_timeout(one.close()).await;
    let mut second = other.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    assert_eq!(next_values(&mut *second, 1).await, ["b"]);
    assert!(second.rebalance_count() > 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn topics_are_created_and_corrected_as_configured() {
    let mut cluster = Cluster::new();
    let error = KafkaBus::open(&cluster.config).await.err().unwrap();
    assert!(matches!(&error, BusError::TopicsMissing { topics, .. } if topics.len() == Topic::ALL.len()), "{error}");
    assert!(error.is_transient() && error.hint().is_some());

    let missing = topics::check(&cluster.config).await.unwrap();
    assert_eq!(missing.len(), Topic::ALL.len());
    assert_eq!(missing[0].to_string(), "detective.snapshots is missing");
    assert_eq!(topics::apply(&cluster.config).await.unwrap().len(), Topic::ALL.len());
    assert_eq!(topics::check(&cluster.config).await.unwrap(), []);
    assert_eq!(topics::apply(&cluster.config).await.unwrap(), []);

    cluster.config.kafka.partitions = PARTITIONS + 1;
    cluster.config.retention.alerts = Duration::from_secs(3600);
    let changed: Vec<String> = topics::apply(&cluster.config).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        changed.iter().filter(|change| change.contains("partitions is 3, expected 4")).count(),
        Topic::ALL.len()
    );
    assert!(
        changed.contains(&"detective.alerts: retention.ms is 2592000000, expected 3600000".to_owned()),
        "{changed:?}"
    );
    assert_eq!(topics::check(&cluster.config).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_record_too_large_for_the_broker_is_rejected_and_later_records_are_published() {
    let mut cluster = Cluster::with_topics().await;
    cluster.config.max_record_bytes = 8 << 20;
    let bus = cluster.bus().await;
    // Larger than the broker's limit of 1 MB.
    let large = Record::new(Topic::Models, "cohort", noise(2 << 20), Timestamp(1));
    let error = with_timeout(bus.publish(vec![large.clone()], None)).await.unwrap_err();
    assert!(matches!(error, BusError::RejectedBySize { topic: Topic::Models, .. }), "{error}");
    let error = with_timeout(bus.publish(vec![record(Topic::Alerts, "a"), large], None)).await.unwrap_err();
    assert!(matches!(error, BusError::RejectedBySize { topic: Topic::Models, .. }), "{error}");
    // A compressible record of the same size is accepted.
    let compressible = Record::new(Topic::Models, "cohort", vec![7; 2 << 20], Timestamp(1));
    with_timeout(bus.publish(vec![compressible], None)).await.unwrap();
    with_timeout(bus.publish(vec![record(Topic::Alerts, "b"), record(Topic::Alerts, "c")], None)).await.unwrap();
    let mut alerts = Vec::new();
    bus::for_each(&bus, Topic::Alerts, |delivery| alerts.push(delivery.value)).await.unwrap();
    assert_eq!(alerts, [b"b", b"c"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_dead_letter_that_is_too_large_for_the_broker_is_shortened() {
    let mut cluster = Cluster::with_topics().await;
    cluster.config.max_record_bytes = 8 << 20;
    let bus = cluster.bus().await;
    let letter = Record::new(Topic::DeadLetter, "host", noise(3 << 20), Timestamp(1));
    let mut batch = vec![record(Topic::Alerts, "a"), letter, record(Topic::Alerts, "b")];
    while let Err(error) = with_timeout(bus.publish(batch.clone(), None)).await {
        assert!(bus::replace_rejected(&mut batch, &error).is_some(), "{error}");
    }
    let mut found = Vec::new();
    for topic in [Topic::Alerts, Topic::DeadLetter] {
        bus::for_each(&bus, topic, |delivery| found.push(delivery.value)).await.unwrap();
    }
    assert_eq!(found[..2], [b"a", b"b"]);
    assert_eq!(found[2], noise(3 << 20)[..3 << 18]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn partitions_that_are_added_meanwhile_are_written_and_read() {
    let mut cluster = Cluster::with_topics().await;
    let bus = cluster.bus().await;
    bus.publish(vec![record(Topic::Incidents, "before")], None).await.unwrap();
    let end = bus.end(Topic::Incidents).await.unwrap();
    cluster.config.kafka.partitions = PARTITIONS + 1;
    topics::apply(&cluster.config).await.unwrap();
    let added = i32::from(PARTITIONS);
    for batch in [vec!["single"], vec!["two", "at once"]] {
        let records: Vec<Record> =
            batch.iter().map(|value| record(Topic::Incidents, value).with_partition(added)).collect();
        let publish = async {
            while let Err(error) = bus.publish(records.clone(), None).await {
                // Until the client has read the new metadata.
                assert!(error.is_transient(), "{error}");
            }
        };
        with_timeout(publish).await;
    }
    let mut found = Vec::new();
    let mut cursor = end;
    while found.len() < 3 {
        let page = with_timeout(bus.read(&cursor, 9, Duration::MAX)).await.unwrap();
        found.extend(page.deliveries.into_iter().map(|delivery| String::from_utf8(delivery.value).unwrap()));
        cursor = page.next;
    }
    assert_eq!(found, ["single", "two", "at once"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn deleted_records_are_lost_for_a_group_that_had_not_read_them() {
    let cluster = Cluster::with_topics().await;
    let bus = cluster.bus().await;
    for n in 0..6 {
        bus.publish(vec![record(Topic::Snapshots, &n.to_string()).with_partition(1)], None).await.unwrap();
    }
    let mut reader = bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
    let read = with_timeout(reader.next(1)).await.unwrap();
    bus.publish(Vec::new(), Some(Positions::after("scorer", &read))).await.unwrap();
    drop(reader);
    with_timeout(bus.close()).await;
    delete_snapshots(&cluster.config.kafka, 1, 4).await;
    for (group, lost) in [("scorer", 3), ("another", 0)] {
        let mut subscription = bus.subscribe(group, &[Topic::Snapshots]).await.unwrap();
        assert_eq!(next_values(&mut *subscription, 2).await, ["4", "5"]);
        // They are counted in the background.
        let is_counted = async {
            while subscription.lost_count() != lost {
                tokio::task::yield_now().await;
            }
        };
        with_timeout(is_counted).await;
    }
}

/// Deletes the snapshots of a partition before `offset`, as retention does.
async fn delete_snapshots(config: &KafkaConfig, partition: i32, offset: i64) {
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap();
    let mut before = TopicPartitionList::new();
    let topic = format!("{}{}", config.prefix, Topic::Snapshots);
    before.add_partition_offset(&topic, partition, Offset::Offset(offset)).unwrap();
    client.delete_records(&before, &AdminOptions::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_named() {
    let kafka = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..KafkaConfig::default() };
    let error = bus::open(&BusConfig { kind: BusKind::Kafka, kafka, ..BusConfig::default() }).await.err().unwrap();
    assert!(matches!(error, BusError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && text.contains("Connection refused"), "{text}");
    assert!(error.is_transient());
}
