//! The bus in one SQLite file that every process of the machine opens for itself.
//!
//! What is acknowledged survives the death of any process, `kill -9` included: it has reached the kernel. It has not
//! always reached the disk: with a write-ahead log and `synchronous = NORMAL` a loss of power can take back the
//! publications since the last checkpoint (a few megabytes), records and positions together, so nothing is torn and
//! readers read again what they read before. That is the price of not waiting for the disk with every snapshot.
//!
//! - `schema`: how the file is opened, and its tables
//! - `publish`: records and positions in
//! - `fetch`: records and positions out
//! - `headers`: headers as bytes
//! - `subscription`: waiting for records
//! - `retention`: what is forgotten, when
//! - `worker`: the threads that own the connections
//! - `failure`: what SQLite says, as the bus says it

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

/// Tells the time; a parameter so that tests of retention need not wait.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The next offset to read, per topic and partition; from the oldest record where there is none.
type Places = BTreeMap<(Topic, i32), i64>;

/// A handle on the bus in a data directory. Clones share it; any number of processes may have their own.
///
/// Dropping the last one does not wait: its threads close the file once they are done with what they were asked.
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
    /// Told after every commit: those of this process at once, those of others within [`worker::POLL`].
    news: Arc<Notify>,
}

impl EmbeddedBus {
    /// Opens the bus in `config.path`, and creates it where it does not exist. Fails where it could not be written.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        Self::open_with_clock(config, Arc::new(Timestamp::now)).await
    }

    /// [`EmbeddedBus::open`] with a clock of one's own, which retention goes by.
    pub async fn open_with_clock(config: &BusConfig, clock: Clock) -> Result<Self, BusError> {
        let config = config.clone();
        tokio::task::spawn_blocking(move || Self::open_now(config, clock)).await.map_err(|_| BusError::Stopped)?
    }

    fn open_now(config: BusConfig, clock: Clock) -> Result<Self, BusError> {
        let file = config.path.join("bus.sqlite");
        let (writer, reader) = schema::open(&config.path, &file, config.lock_timeout)?;
        let news = Arc::new(Notify::new());
        let writer = Worker::start("bus-writer", writer, Trimmer::default(), None)?;
        let reader = Worker::start("bus-reader", reader, (), Some(Arc::clone(&news)))?;
        Ok(EmbeddedBus { shared: Arc::new(Shared { file, config, clock, writer, reader, news }) })
    }
}

impl Shared {
    fn failed(&self, failure: impl Into<Failure>) -> BusError {
        failure.into().at(&self.file, self.config.lock_timeout)
    }

    async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BusError> {
        self.reader.run(move |connection, ()| look(connection)).await?.map_err(|failure| self.failed(failure))
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
            trimmer.appended(bytes);
            shared.news.notify_waiters();
            Ok(())
        };
        let shared = Arc::clone(&self.shared);
        // Whoever publishes need not wait until what is old has been cleared away.
        let trim = move |connection: &mut Connection, trimmer: &mut Trimmer| {
            trimmer.trim(connection, &shared.config, (shared.clock)());
        };
        self.shared.writer.run_then(append, trim).await?.map_err(|failure: Failure| self.shared.failed(failure))
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        let (group, wanted) = (group.to_owned(), topics.to_vec());
        let places = self.shared.query(move |connection| fetch::positions(connection, &group, &wanted)).await?;
        Ok(Box::new(EmbeddedSubscription::new(Arc::clone(&self.shared), topics.to_vec(), places)))
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let topic = from.topic;
        let places: Places = from.next.iter().map(|(partition, next)| ((topic, *partition), *next)).collect();
        // A wait that no clock can count has no end.
        let until = Instant::now().checked_add(wait);
        let deliveries = subscription::await_some(&self.shared, &[topic], &places, max, until).await?;
        let mut next = from.clone();
        for delivery in &deliveries {
            next.next.insert(delivery.partition, delivery.offset.saturating_add(1));
        }
        Ok(Page { deliveries, next })
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        let next = self.shared.query(move |connection| fetch::ends(connection, topic)).await?;
        Ok(Cursor { topic, next })
    }
}
