//! Which bus, and its limits.

mod kafka;

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use schemas::{Topic, topic::Retention};
use serde::{Deserialize, Serialize};

pub use kafka::{KafkaConfig, Mechanism, Security};

/// How programs exchange records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// What carries the records: `embedded`, one file on this machine that needs nothing else, or `kafka`.
    /// `detective up` is always embedded.
    pub kind: BusKind,
    /// The data directory; where nothing names one, `local-detective` in `$XDG_STATE_HOME` or `~/.local/state`. The
    /// embedded bus keeps `bus.sqlite` in it and creates it, for its owner alone, where it does not exist. Every program of
    /// the machine must name the same one.
    pub path: PathBuf,
    /// Partitions per topic of the embedded bus. Order holds within one; more than one is of use only where several
    /// scorers share the work. A change sends the keys that come later to other partitions.
    pub partitions: u16,
    /// An embedded topic's oldest records go when it holds more than this many bytes. Compacted topics are exempt.
    pub max_bytes_per_topic: u64,
    /// A record of more bytes, its key and headers included, is refused.
    pub max_record_bytes: u64,
    /// How long to wait while another process writes to the embedded bus, before it is an error.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub lock_timeout: Duration,
    /// How long records stay.
    pub retention: RetentionConfig,
    /// The brokers of `kind = "kafka"`.
    pub kafka: KafkaConfig,
}

impl Default for BusConfig {
    fn default() -> Self {
        BusConfig {
            kind: BusKind::Embedded,
            path: PathBuf::from("detective-data"),
            partitions: 1,
            max_bytes_per_topic: 64 << 20,
            max_record_bytes: schemas::codec::MAX_RECORD_BYTES as u64,
            lock_timeout: Duration::from_secs(10),
            retention: RetentionConfig::default(),
            kafka: KafkaConfig::default(),
        }
    }
}

impl BusConfig {
    /// What is wrong between its fields, as pairs of a key within this section and a sentence. Does no I/O.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.partitions == 0 {
            problems.push(("partitions", "must be at least 1, found 0".to_owned()));
        }
        if self.path.as_os_str().is_empty() {
            problems.push(("path", "must name a directory, found nothing".to_owned()));
        }
        if self.max_record_bytes == 0 {
            problems.push(("max_record_bytes", "must be at least 1, found 0".to_owned()));
        }
        // SQLite refuses a blob beyond a billion bytes, and a reader holds a whole record in memory.
        if self.max_record_bytes > 512 << 20 {
            problems
                .push(("max_record_bytes", format!("must be at most {}, found {}", 512 << 20, self.max_record_bytes)));
        }
        if self.max_bytes_per_topic < self.max_record_bytes {
            let (limit, record) = (self.max_bytes_per_topic, self.max_record_bytes);
            problems.push((
                "max_bytes_per_topic",
                format!("must be at least `max_record_bytes`, which is {record}, found {limit}"),
            ));
        }
        problems.extend(self.kafka.problems());
        problems
    }
}

/// What carries the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// One SQLite file in the data directory, for one machine.
    #[default]
    Embedded,
    /// Apache Kafka, for fleets.
    Kafka,
}

/// How long records stay, counted from their arrival. Models and incidents stay until a newer one replaces them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Of snapshots.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub snapshots: Duration,
    /// Of snapshots that models learn from.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub healthy: Duration,
    /// Of alerts.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub alerts: Duration,
    /// Of records that could not be taken.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub dead_letter: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let of = |topic: Topic| match topic.retention() {
            Retention::Delete(age) => age,
            Retention::Compact => Duration::MAX,
        };
        RetentionConfig {
            snapshots: of(Topic::Snapshots),
            healthy: of(Topic::Healthy),
            alerts: of(Topic::Alerts),
            dead_letter: of(Topic::DeadLetter),
        }
    }
}

impl RetentionConfig {
    /// How long the topic's records stay.
    pub fn of(&self, topic: Topic) -> Retention {
        match topic {
            Topic::Snapshots => Retention::Delete(self.snapshots),
            Topic::Healthy => Retention::Delete(self.healthy),
            Topic::Alerts => Retention::Delete(self.alerts),
            Topic::DeadLetter => Retention::Delete(self.dead_letter),
            Topic::Models | Topic::Incidents => topic.retention(),
        }
    }
}
