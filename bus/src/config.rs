//! The settings `[bus]`.

mod kafka;

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use schemas::{Topic, codec::MAX_RECORD_BYTES, topic::Retention};
use serde::{Deserialize, Serialize};

pub use kafka::{KafkaConfig, Mechanism, Security};

/// The bus: how programs exchange records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// `embedded` stores records in a file on this machine and needs nothing else; `kafka` uses
    /// Apache Kafka. `detective up` always uses `embedded`.
    pub kind: BusKind,
    /// Data directory, which all programs on the machine must share. Default: `local-detective` in
    /// `$XDG_STATE_HOME` or `~/.local/state`. The embedded bus stores `bus.sqlite` in it, and
    /// creates the directory with access for its owner only if it does not exist.
    pub path: PathBuf,
    /// Partitions per topic of the embedded bus. Records keep their order within a partition; more
    /// than one is useful only if several scorers share the work. A change sends later records of a
    /// key to another partition.
    pub partitions: u16,
    /// Size limit of each topic of the embedded bus, in bytes: beyond it, the oldest records are
    /// deleted. Compacted topics have no limit.
    pub max_bytes_per_topic: u64,
    /// Size limit of a record, in bytes, with its key and headers. Larger records are rejected. At
    /// most 33554432.
    pub max_record_bytes: u64,
    /// Timeout for the embedded bus while another process writes to it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub lock_timeout: Duration,
    /// Retention of the topics.
    pub retention: RetentionConfig,
    /// Settings for `kind = "kafka"`.
    pub kafka: KafkaConfig,
}

impl Default for BusConfig {
    fn default() -> Self {
        BusConfig {
            kind: BusKind::Embedded,
            path: PathBuf::from("detective-data"),
            partitions: 1,
            max_bytes_per_topic: 64 << 20,
            max_record_bytes: MAX_RECORD_BYTES as u64,
            lock_timeout: Duration::from_secs(10),
            retention: RetentionConfig::default(),
            kafka: KafkaConfig::default(),
        }
    }
}

impl BusConfig {
    /// Checks the values, without I/O. Returns pairs of a key, relative to this section, and a
    /// problem.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.partitions == 0 {
            problems.push(("partitions", "must be at least 1, found 0".to_owned()));
        }
        if self.path.as_os_str().is_empty() {
            problems.push(("path", "must name a directory, found an empty text".to_owned()));
        }
        if self.max_record_bytes == 0 {
            problems.push(("max_record_bytes", "must be at least 1, found 0".to_owned()));
        }
        if self.max_record_bytes > MAX_RECORD_BYTES as u64 {
            // Readers reject larger records.
            let problem = format!("must be at most {MAX_RECORD_BYTES}, found {}", self.max_record_bytes);
            problems.push(("max_record_bytes", problem));
        }
        if self.max_bytes_per_topic < self.max_record_bytes {
            let limit = self.max_bytes_per_topic;
            let record = self.max_record_bytes;
            problems.push((
                "max_bytes_per_topic",
                format!("must be at least `max_record_bytes`, which is {record}, found {limit}"),
            ));
        }
        problems.extend(self.kafka.problems());
        problems
    }
}

/// The implementations of the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// An SQLite file in the data directory, for one machine.
    #[default]
    Embedded,
    /// Apache Kafka, for fleets.
    Kafka,
}

/// Time that records are kept after their arrival. Models and incidents are kept until a newer
/// record replaces them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Retention of snapshots.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub snapshots: Duration,
    /// Retention of healthy snapshots, from which models are trained.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub healthy: Duration,
    /// Retention of alerts.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub alerts: Duration,
    /// Retention of operator actions.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub actions: Duration,
    /// Retention of dead letters.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub dead_letter: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let default = |topic: Topic| match topic.retention() {
            Retention::Delete(age) => age,
            Retention::Compact => Duration::MAX,
        };
        RetentionConfig {
            snapshots: default(Topic::Snapshots),
            healthy: default(Topic::Healthy),
            alerts: default(Topic::Alerts),
            actions: default(Topic::Actions),
            dead_letter: default(Topic::DeadLetter),
        }
    }
}

impl RetentionConfig {
    /// The retention of a topic.
    pub fn for_topic(&self, topic: Topic) -> Retention {
        match topic {
            Topic::Snapshots => Retention::Delete(self.snapshots),
            Topic::Healthy => Retention::Delete(self.healthy),
            Topic::Alerts => Retention::Delete(self.alerts),
            Topic::Actions => Retention::Delete(self.actions),
            Topic::DeadLetter => Retention::Delete(self.dead_letter),
            Topic::Models | Topic::Incidents => topic.retention(),
        }
    }
}
