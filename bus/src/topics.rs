//! Checks and creates the topics of a Kafka cluster, before programs open the bus.

use std::fmt;

use schemas::Topic;

use crate::{BusConfig, BusError, BusKind};

/// A setting of a topic that differs from what [`BusConfig`] requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The topic.
    pub topic: Topic,
    /// `topic` (it is missing), `partitions`, `replication` or the name of a topic setting.
    pub setting: &'static str,
    /// The required value.
    pub expected: String,
    /// The current value.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { topic, setting, expected, found } = self;
        match *setting {
            "topic" => write!(f, "{topic} is {found}"),
            _ => write!(f, "{topic}: {setting} is {found}, expected {expected}"),
        }
    }
}

/// Compares the topics with `config` and changes nothing. The embedded bus has no differences.
pub async fn check(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Vec::new()),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => crate::kafka::topics::check(config).await,
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}

/// Creates missing topics and corrects settings. Returns what it changed. The embedded bus creates
/// its topics by itself.
///
/// Adds partitions but never removes any, and leaves the replication of existing topics alone.
pub async fn apply(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Vec::new()),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => crate::kafka::topics::apply(config).await,
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}
