//! The death of a process, at any moment.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use bus::{Bus, BusConfig, EmbeddedBus, Positions, Record, for_each};
use schemas::{Timestamp, Topic};

use crate::Directory;

const CHILD: &str = "BUS_TEST_PUBLISHES_INTO";
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    // This very test, in a process of its own, is the one that is killed.
    if let Some(path) = std::env::var_os(CHILD) {
        return publish_for_ever(BusConfig { path: path.into(), ..BusConfig::default() }).await;
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
        assert_eq!(found, (0..=last).collect::<Vec<_>>(), "an offset is missing or came twice");
        assert!(
            acknowledged.last().is_some_and(|acknowledged| *acknowledged <= last),
            "an acknowledged record is gone"
        );
        // Each record came with the position of its own offset: were they ever apart, they would be now.
        let mut subscription = bus.subscribe("child", &[Topic::Alerts]).await.unwrap();
        assert_eq!(subscription.next(1).await.unwrap()[0].offset, last);
    }
}

async fn publish_for_ever(config: BusConfig) {
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

/// The offsets that a child was told are safe, before it was killed after the first `count` of them.
fn acknowledged_until_killed(config: &BusConfig, count: usize) -> Vec<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(CHILD, &config.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut offsets = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some((_, offset)) = line.unwrap().split_once(ACKNOWLEDGED) {
            offsets.push(offset.parse().unwrap());
            if offsets.len() == count {
                // SIGKILL; what it wrote before is still in the pipe and is read as well.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(offsets.len() >= count, "the child ended by itself");
    offsets
}
