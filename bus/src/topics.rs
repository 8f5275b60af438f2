//! The topics made, and seen to be as they must be: by an operator, before programs open the bus.

use std::fmt;

use schemas::Topic;

use crate::{BusConfig, BusError, BusKind};

/// Something of a topic that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The topic.
    pub topic: Topic,
    /// What of it: `topic`, `partitions`, `replication` or the name of a topic setting.
    pub setting: &'static str,
    /// As it must be.
    pub expected: String,
    /// As it is.
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

/// What of the topics is not as `config` wants it. Changes nothing; the embedded bus has nothing to find.
pub async fn check(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Vec::new()),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => crate::kafka::topics::check(config).await,
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}

/// Makes the topics that are missing and sets what differs; returns what was changed. The embedded bus makes its topics
/// by itself.
///
/// Partitions are added and never taken away; on how many brokers a topic is kept stays as it is.
pub async fn apply(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Vec::new()),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => crate::kafka::topics::apply(config).await,
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}
