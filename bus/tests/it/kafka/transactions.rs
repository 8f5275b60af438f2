//! Transactions whose end is delayed or whose outcome is unknown.

use bus::{Bus, KafkaBus, Positions, Record, Subscription};
use schemas::Topic;

use super::{
    Cluster, next_values,
    proxy::{Hold, Proxy},
    record, with_timeout,
};

/// A topic of three snapshots, and a bus that reaches the broker through a proxy.
struct Setup {
    cluster: Cluster,
    proxy: Proxy,
    bus: KafkaBus,
    snapshots: Box<dyn Subscription>,
}

impl Setup {
    async fn new() -> Setup {
        let cluster = Cluster::with_topics().await;
        let direct = cluster.bus().await;
        for value in ["1", "2", "3"] {
            direct.publish(vec![record(Topic::Snapshots, value)], None).await.unwrap();
        }
        let proxy = Proxy::start(&cluster.config.kafka.brokers).await;
        let mut config = cluster.config.clone();
        config.kafka.brokers.clone_from(&proxy.address);
        let bus = KafkaBus::open(&config).await.unwrap();
        let snapshots = bus.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
        Setup { cluster, proxy, bus, snapshots }
    }

    /// Reads a snapshot, and publishes `alert` with its position in the background.
    async fn publish_after_next(&mut self, alert: &str) -> tokio::task::JoinHandle<()> {
        let read = with_timeout(self.snapshots.next(1)).await.unwrap();
        let positions = Positions::after("scorer", &read);
        tokio::spawn(publish_until_accepted(self.bus.clone(), record(Topic::Alerts, alert), positions))
    }

    /// Checks that both alerts were published once, and two of three snapshots are processed.
    async fn check_published_once(self) {
        drop(self.snapshots);
        with_timeout(self.bus.close()).await;
        let direct = self.cluster.bus().await;
        let mut alerts = Vec::new();
        let visit = |delivery: bus::Delivery| alerts.push(String::from_utf8(delivery.value).unwrap());
        with_timeout(bus::for_each(&direct, Topic::Alerts, visit)).await.unwrap();
        assert_eq!(alerts, ["first", "second"]);
        let mut snapshots = direct.subscribe("scorer", &[Topic::Snapshots]).await.unwrap();
        assert_eq!(next_values(&mut *snapshots, 1).await, ["3"]);
    }
}

/// Publishes like a program, which repeats a publication after a transient error.
async fn publish_until_accepted(bus: KafkaBus, alert: Record, positions: Positions) {
    while let Err(error) = bus.publish(vec![alert.clone()], Some(positions.clone())).await {
        assert!(error.is_transient(), "{error}");
    }
}

/// The end of a transaction reaches the broker during the next transaction.
async fn check_late_end(hold: Hold) {
    let mut setup = Setup::new().await;
    setup.proxy.hold_next(hold).await;
    let first = setup.publish_after_next("first").await;
    let late = with_timeout(setup.proxy.held()).await;
    with_timeout(first).await.unwrap();

    setup.proxy.hold_next(Hold::Request).await;
    let second = setup.publish_after_next("second").await;
    let end = with_timeout(setup.proxy.held()).await;
    assert_ne!(with_timeout(late.deliver()).await, 0, "the late end committed the next transaction");
    with_timeout(end.deliver()).await;
    with_timeout(second).await.unwrap();
    setup.check_published_once().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn the_late_end_of_a_transaction_without_a_response_does_not_end_the_next() {
    check_late_end(Hold::Request).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn the_late_end_of_a_transaction_on_a_lost_connection_does_not_end_the_next() {
    check_late_end(Hold::RequestAndClose).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka"]
async fn a_commit_whose_response_is_lost_is_not_repeated() {
    let mut setup = Setup::new().await;
    setup.proxy.hold_next(Hold::Response).await;
    let read = with_timeout(setup.snapshots.next(1)).await.unwrap();
    let alert = vec![record(Topic::Alerts, "first")];
    with_timeout(setup.bus.publish(alert, Some(Positions::after("scorer", &read)))).await.unwrap();
    with_timeout(setup.publish_after_next("second").await).await.unwrap();
    setup.check_published_once().await;
}
