//! Checks and creates the topics of a Kafka cluster, before programs open the bus.

pub use crate::topic_difference::TopicDifference;
use crate::{BusConfig, BusError, BusKind};

/// Compares the topics with `config` and changes nothing. The embedded bus has no differences.
pub async fn check(config: &BusConfig) -> Result<Vec<TopicDifference>, BusError> {
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
pub async fn apply(config: &BusConfig) -> Result<Vec<TopicDifference>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Vec::new()),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => crate::kafka::topics::apply(config).await,
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}
