//! The bus in one SQLite file, which every process on the machine opens by itself.
//!
//! An acknowledged record survives the death of any process, `kill -9` included, because the kernel
//! has it. The disk may not have it yet: with a write-ahead log and `synchronous = NORMAL`, a power
//! failure can revert the publications since the last checkpoint (a few megabytes). It reverts
//! records and positions together, so the file stays consistent and readers read the same records
//! again. In return, no snapshot waits for the disk.
//!
//! - `store`: the open database
//! - `schema`: opens the file and creates its tables
//! - `permissions`: keeps other users away from the file
//! - `publish`: writes records and positions
//! - `fetch`: reads records and positions
//! - `headers`: encodes headers as bytes
//! - `subscription`: waits for records
//! - `retention`: deletes old records
//! - `worker`: the threads that own the connections
//! - `failure`: SQLite's errors as errors of the bus

mod failure;
mod fetch;
mod headers;
mod permissions;
mod publish;
mod retention;
mod schema;
mod store;
mod subscription;
#[cfg(test)]
mod tests;
mod worker;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use schemas::{Timestamp, Topic};
use tokio::time::Instant;

use crate::{Bus, BusConfig, BusError, Cursor, Page, Positions, Record, Subscription};
use fetch::NextOffsets;
use store::Store;
use subscription::EmbeddedSubscription;

pub use store::Clock;

/// A handle on the bus in a data directory. Clones share it; other processes have their own.
///
/// Dropping the last clone does not block: the threads finish their work and close the file.
#[derive(Clone)]
pub struct EmbeddedBus {
    store: Arc<Store>,
}

impl EmbeddedBus {
    /// Opens the bus in `config.path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// If the file is not writable, not a bus, or other users can replace it.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        Self::open_with_clock(config, Arc::new(Timestamp::now)).await
    }

    /// Like [`EmbeddedBus::open`], with the clock that retention uses.
    pub async fn open_with_clock(config: &BusConfig, clock: Clock) -> Result<Self, BusError> {
        let config = config.clone();
        let open = tokio::task::spawn_blocking(move || Store::open(config, clock));
        Ok(EmbeddedBus { store: Arc::new(open.await.map_err(|_| BusError::Stopped)??) })
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        if records.is_empty() && positions.as_ref().is_none_or(|positions| positions.next.is_empty()) {
            return Ok(());
        }
        Arc::clone(&self.store).publish(records, positions).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        let group = group.to_owned();
        let wanted = topics.to_vec();
        let next = self.store.query(move |connection| fetch::start_offsets(connection, &group, &wanted)).await?;
        Ok(Box::new(EmbeddedSubscription::new(Arc::clone(&self.store), topics.to_vec(), next)))
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let topic = from.topic;
        let offsets: NextOffsets = from.next.iter().map(|(partition, next)| ((topic, *partition), *next)).collect();
        // A wait that overflows the clock has no deadline.
        let deadline = Instant::now().checked_add(wait);
        let deliveries = subscription::wait_for_records(&self.store, &[topic], &offsets, max, deadline).await?;
        let mut next = from.clone();
        for delivery in &deliveries {
            next.next.insert(delivery.partition, delivery.offset.saturating_add(1));
        }
        Ok(Page { deliveries, next })
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        let next = self.store.query(move |connection| fetch::end_offsets(connection, topic)).await?;
        Ok(Cursor { topic, next })
    }
}
