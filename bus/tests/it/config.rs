//! The settings `[bus]`.

use bus::{BusConfig, BusKind};
use expect_test::expect;

#[test]
fn the_defaults_are_valid_and_survive_a_round_trip_through_toml() {
    let config = BusConfig::default();
    assert_eq!(config.problems(), []);
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<BusConfig>(&text).unwrap(), config);
    expect![[r#"
        kind = "embedded"
        path = "detective-data"
        partitions = 1
        max_bytes_per_topic = 67108864
        max_record_bytes = 33554432
        lock_timeout = "10s"

        [retention]
        snapshots = "4h"
        healthy = "7days"
        alerts = "30days"
        actions = "30days"
        dead_letter = "7days"

        [kafka]
        brokers = "127.0.0.1:9092"
        prefix = ""
        partitions = 12
        replication = 0
        session_timeout = "10s"
        delivery_timeout = "2m"
        security = "plaintext"
        ca_file = ""
        certificate_file = ""
        key_file = ""
        mechanism = "plain"
        username = ""
        password_file = ""
    "#]]
    .assert_eq(&text);
}

#[test]
fn all_problems_are_reported_with_their_keys() {
    let config = BusConfig {
        partitions: 0,
        max_bytes_per_topic: 1,
        max_record_bytes: schemas::codec::MAX_RECORD_BYTES as u64 + 1,
        path: "".into(),
        ..BusConfig::default()
    };
    let problems: Vec<String> = config.problems().iter().map(|(key, text)| format!("{key}: {text}\n")).collect();
    expect![[r#"
        partitions: must be at least 1, found 0
        path: must name a directory, found an empty text
        max_record_bytes: must be at most 33554432, found 33554433
        max_bytes_per_topic: must be at least `max_record_bytes`, which is 33554433, found 1
    "#]]
    .assert_eq(&problems.concat());
}

#[test]
fn an_unknown_kind_or_key_is_rejected() {
    let check = |text: &str| toml::from_str::<BusConfig>(text).unwrap_err().message().to_owned();
    expect!["unknown variant `carrier-pigeon`, expected `embedded` or `kafka`"]
        .assert_eq(&check("kind = 'carrier-pigeon'"));
    assert!(check("partition = 1").starts_with("unknown field `partition`"));
    assert_eq!(toml::from_str::<BusConfig>("kind = 'embedded'").unwrap().kind, BusKind::Embedded);
}
