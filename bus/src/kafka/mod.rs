//! The bus on Apache Kafka.

use std::time::Duration;

use async_trait::async_trait;
use schemas::Topic;

use crate::{Bus, BusConfig, BusError, Cursor, Page, Positions, Record, Subscription};

/// A handle on the topics of a Kafka cluster.
pub struct KafkaBus;

impl KafkaBus {
    /// Connects.
    pub async fn open(_config: &BusConfig) -> Result<Self, BusError> {
        Err(BusError::NotBuilt { key: "bus.kind", what: "Kafka" })
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn publish(&self, _records: Vec<Record>, _positions: Option<Positions>) -> Result<(), BusError> {
        Err(BusError::Stopped)
    }

    async fn subscribe(&self, _group: &str, _topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        Err(BusError::Stopped)
    }

    async fn read(&self, _from: &Cursor, _max: usize, _wait: Duration) -> Result<Page, BusError> {
        Err(BusError::Stopped)
    }

    async fn end(&self, _topic: Topic) -> Result<Cursor, BusError> {
        Err(BusError::Stopped)
    }
}
