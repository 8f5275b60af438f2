//! The bus in one SQLite file, which every process on the machine opens by itself.
//!
//! An acknowledged record survives the death of any process, `kill -9` included, because the kernel
//! has it. The disk may not have it yet: with a write-ahead log and `synchronous = NORMAL`, a power
//! failure can revert the publications since the last checkpoint (a few megabytes). It reverts
//! records and positions together, so the file stays consistent and readers read the same records
//! again. In return, no snapshot waits for the disk.
//!
//! - `schema`: opens the file and creates its tables
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
mod publish;
mod retention;
mod schema;
mod subscription;
#[cfg(test)]
mod tests;
mod worker;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::Connection;
use schemas::{Timestamp, Topic};
use tokio::{sync::Notify, time::Instant};

use crate::{Bus, BusConfig, BusError, Cursor, Page, Positions, Record, Subscription};
use failure::Failure;
use retention::Trimmer;
use subscription::EmbeddedSubscription;
use worker::Worker;

/// Returns the current time. Tests of retention pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The next offset to read, per topic and partition. Missing partitions are read from their oldest
/// record.
type NextOffsets = BTreeMap<(Topic, i32), i64>;

/// A handle on the bus in a data directory. Clones share it; other processes have their own.
///
/// Dropping the last clone does not block: the threads finish their work and close the file.
#[derive(Clone)]
pub struct EmbeddedBus {
    shared: Arc<Shared>,
}

struct Shared {
    file: PathBuf,
    config: BusConfig,
    clock: Clock,
    writer: Worker<Trimmer>,
    reader: Worker<()>,
    /// Notified after every commit: of this process immediately, of others within
    /// [`worker::POLL_INTERVAL`].
    commits: Arc<Notify>,
}

impl EmbeddedBus {
    /// Opens the bus in `config.path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// If the file is not writable, or not a bus.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        Self::open_with_clock(config, Arc::new(Timestamp::now)).await
    }

    /// Like [`EmbeddedBus::open`], with the clock that retention uses.
    pub async fn open_with_clock(config: &BusConfig, clock: Clock) -> Result<Self, BusError> {
        let config = config.clone();
        tokio::task::spawn_blocking(move || Self::open_blocking(config, clock)).await.map_err(|_| BusError::Stopped)?
    }

    fn open_blocking(config: BusConfig, clock: Clock) -> Result<Self, BusError> {
        let file = config.path.join("bus.sqlite");
        let (writer, reader) = schema::open(&config.path, &file, config.lock_timeout)?;
        let commits = Arc::new(Notify::new());
        let writer = Worker::start("bus-writer", writer, Trimmer::default(), None)?;
        let reader = Worker::start("bus-reader", reader, (), Some(Arc::clone(&commits)))?;
        Ok(EmbeddedBus { shared: Arc::new(Shared { file, config, clock, writer, reader, commits }) })
    }
}

impl Shared {
    fn bus_error(&self, failure: impl Into<Failure>) -> BusError {
        failure.into().into_bus_error(&self.file, self.config.lock_timeout)
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BusError> {
        self.reader.run(move |connection, ()| query(connection)).await?.map_err(|failure| self.bus_error(failure))
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        if records.is_empty() && positions.as_ref().is_none_or(|positions| positions.next.is_empty()) {
            return Ok(());
        }
        let records = publish::prepare(&self.shared.config, records)?;
        let shared = Arc::clone(&self.shared);
        let append = move |connection: &mut Connection, trimmer: &mut Trimmer| {
            let bytes = publish::publish(connection, &records, positions.as_ref(), (shared.clock)())?;
            trimmer.add_published(bytes);
            shared.commits.notify_waiters();
            Ok(())
        };
        let shared = Arc::clone(&self.shared);
        // The publication does not wait until old records are deleted.
        let trim = move |connection: &mut Connection, trimmer: &mut Trimmer| {
            trimmer.trim_if_due(connection, &shared.config, (shared.clock)());
        };
        self.shared.writer.run_then(append, trim).await?.map_err(|failure: Failure| self.shared.bus_error(failure))
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        let group = group.to_owned();
        let wanted = topics.to_vec();
        let next = self.shared.query(move |connection| fetch::positions(connection, &group, &wanted)).await?;
        Ok(Box::new(EmbeddedSubscription::new(Arc::clone(&self.shared), topics.to_vec(), next)))
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let topic = from.topic;
        let offsets: NextOffsets = from.next.iter().map(|(partition, next)| ((topic, *partition), *next)).collect();
        // A wait that overflows the clock has no deadline.
        let deadline = Instant::now().checked_add(wait);
        let deliveries = subscription::wait_for_records(&self.shared, &[topic], &offsets, max, deadline).await?;
        let mut next = from.clone();
        for delivery in &deliveries {
            next.next.insert(delivery.partition, delivery.offset.saturating_add(1));
        }
        Ok(Page { deliveries, next })
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        let next = self.shared.query(move |connection| fetch::end_offsets(connection, topic)).await?;
        Ok(Cursor { topic, next })
    }
}
