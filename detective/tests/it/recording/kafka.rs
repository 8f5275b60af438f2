//! Recordings to and from Apache Kafka, with several partitions.

use std::collections::BTreeMap;

use bus::{BusConfig, BusKind, KafkaConfig, topics};
use schemas::GraphSnapshot;

use super::{Folder, as_replayed, read, snapshot, write};

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_recording_replayed_to_kafka_keeps_the_order_of_each_host() {
    let brokers =
        std::env::var("DETECTIVE_KAFKA").expect("DETECTIVE_KAFKA must name a broker: see `cargo xtask kafka up`");
    let prefix = format!("recording-{:x}.", rand::random::<u64>());
    let folder = Folder::new();
    let settings = folder.path("settings.toml");
    let text = format!("[bus]\nkind = 'kafka'\n[bus.kafka]\nbrokers = '{brokers}'\nprefix = '{prefix}'\n");
    std::fs::write(&settings, text).unwrap();
    let kafka = KafkaConfig { brokers, prefix, partitions: 4, ..KafkaConfig::default() };
    topics::apply(&BusConfig { kind: BusKind::Kafka, kafka, ..BusConfig::default() }).await.unwrap();

    let recorded: Vec<GraphSnapshot> =
        (0..300).map(|at| snapshot(["a", "b", "c"][at as usize % 3], at / 3, at * 10)).collect();
    write(&folder.path("r.avro"), &[&recorded[..100], &recorded[100..]]);
    let flags = ["--config", settings.to_str().unwrap()];
    folder.run("replay", "r.avro", "unused", &[&flags[..], &["--speed", "max", "--hosts", "2"]].concat());
    let stderr = folder.run("record", "back.avro", "unused", &flags);
    assert!(stderr.starts_with("recorded 600 snapshots of 6 hosts "), "{stderr}");

    let mut hosts: BTreeMap<String, Vec<GraphSnapshot>> = BTreeMap::new();
    for snapshot in read(&folder.path("back.avro")) {
        hosts.entry(snapshot.host.clone()).or_default().push(snapshot);
    }
    for (host, back) in hosts {
        let name = host.split('-').next().unwrap();
        let of_host: Vec<&GraphSnapshot> = recorded.iter().filter(|snapshot| snapshot.host == name).collect();
        assert_eq!(back.len(), of_host.len());
        for (recorded, back) in of_host.into_iter().zip(&back) {
            let named = GraphSnapshot { host: host.clone(), cohort: host.clone(), ..recorded.clone() };
            assert_eq!(as_replayed(&named, back), *back);
            assert_eq!(back.sequence, recorded.sequence);
        }
    }
}
