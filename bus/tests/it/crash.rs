//! The bus after a process is killed at any moment.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use bus::{Bus, BusConfig, EmbeddedBus, Positions, Record, for_each};
use schemas::{Timestamp, Topic};

use crate::Directory;

/// Set in the child process: the data directory that it publishes to.
const CHILD_DATA: &str = "BUS_TEST_PUBLISHES_INTO";
/// Begins the line of the child that reports an acknowledged offset.
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_kill_9() {
    // The child process that is killed runs this test too.
    if let Some(path) = std::env::var_os(CHILD_DATA) {
        return publish_forever(BusConfig { path: path.into(), ..BusConfig::default() }).await;
    }
    let directory = Directory::new();
    let config = directory.config();
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        acknowledged.extend(acknowledged_until_killed(&config, 10 + 17 * round));
        let bus = EmbeddedBus::open(&config).await.unwrap();
        let mut found = Vec::new();
        for_each(&bus, Topic::Alerts, |delivery| found.push(delivery.offset)).await.unwrap();
        let last = found.last().copied().unwrap();
        assert_eq!(found, (0..=last).collect::<Vec<_>>(), "an offset is missing or was used twice");
        assert!(
            acknowledged.last().is_some_and(|acknowledged| *acknowledged <= last),
            "an acknowledged record is missing"
        );
        // Each record was published with its own offset as the position, so they must agree.
        let mut subscription = bus.subscribe("child", &[Topic::Alerts]).await.unwrap();
        assert_eq!(subscription.next(1).await.unwrap()[0].offset, last);
    }
}

async fn publish_forever(config: BusConfig) {
    let bus = EmbeddedBus::open(&config).await.unwrap();
    let mut next = 0;
    for_each(&bus, Topic::Alerts, |delivery| next = delivery.offset + 1).await.unwrap();
    for offset in next.. {
        let record = Record::new(Topic::Alerts, "incident", vec![7; 3000], Timestamp(1));
        let positions = Positions { group: "child".into(), next: vec![(Topic::Alerts, 0, offset)] };
        bus.publish(vec![record], Some(positions)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ACKNOWLEDGED}{offset}").unwrap();
        out.flush().unwrap();
    }
}

/// Starts a child, kills it after `count` acknowledged records, and returns all acknowledged
/// offsets.
fn acknowledged_until_killed(config: &BusConfig, count: usize) -> Vec<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::acknowledged_records_survive_kill_9", "--nocapture"])
        .env(CHILD_DATA, &config.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut offsets = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some((_, offset)) = line.unwrap().split_once(ACKNOWLEDGED) {
            offsets.push(offset.parse().unwrap());
            if offsets.len() == count {
                // SIGKILL. Lines that the child wrote before are still in the pipe and are read
                // too.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(offsets.len() >= count, "the child ended early");
    offsets
}
