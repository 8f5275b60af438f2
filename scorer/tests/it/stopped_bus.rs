//! A bus whose thread for writing has stopped.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, EmbeddedBus, Page, Positions, Record, Subscription};
use schemas::Topic;

/// Reads from a real bus, and fails to publish.
pub struct StoppedBus(pub Arc<EmbeddedBus>);

#[async_trait]
impl Bus for StoppedBus {
    async fn publish(&self, _: Vec<Record>, _: Option<Positions>) -> Result<(), BusError> {
        Err(BusError::Stopped)
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.0.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        self.0.read(from, max, wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.0.end(topic).await
    }
}
