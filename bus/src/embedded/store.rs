//! The open database.

use std::{path::PathBuf, sync::Arc};

use rusqlite::Connection;
use schemas::Timestamp;
use tokio::sync::Notify;

use super::{failure::Failure, publish, retention::Trimmer, schema, worker::Worker};
use crate::{BusConfig, BusError, Positions, Record};

/// Returns the current time. Tests of retention pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An open database, with a thread for writing and one for reading.
pub struct Store {
    file: PathBuf,
    config: BusConfig,
    clock: Clock,
    pub(super) writer: Worker<Trimmer>,
    reader: Worker<()>,
    /// Notified after every commit: of this process immediately, of others within
    /// [`POLL_INTERVAL`](super::worker::POLL_INTERVAL).
    pub commits: Arc<Notify>,
}

impl Store {
    /// Opens the database in `config.path`. Blocks.
    pub fn open(config: BusConfig, clock: Clock) -> Result<Self, BusError> {
        const NAME: &str = "bus.sqlite";
        let file = config.path.join(NAME);
        let (writer, reader) = schema::open(&config.path, NAME, config.lock_timeout)?;
        let commits = Arc::new(Notify::new());
        let writer = Worker::start("bus-writer", writer, Trimmer::default(), None)?;
        let reader = Worker::start("bus-reader", reader, (), Some(Arc::clone(&commits)))?;
        Ok(Store { file, config, clock, writer, reader, commits })
    }

    /// Writes records and positions in one transaction, then deletes old records if that is due.
    pub async fn publish(self: Arc<Self>, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let records = publish::prepare(&self.config, records)?;
        let store = Arc::clone(&self);
        let append = move |connection: &mut Connection, trimmer: &mut Trimmer| {
            let bytes = publish::publish(connection, &records, positions.as_ref(), (store.clock)())?;
            trimmer.add_published(bytes);
            store.commits.notify_waiters();
            Ok(())
        };
        let store = Arc::clone(&self);
        // The publication does not wait until old records are deleted.
        let trim = move |connection: &mut Connection, trimmer: &mut Trimmer| {
            trimmer.trim_if_due(connection, &store.config, (store.clock)());
        };
        self.writer.run_then(append, trim).await?.map_err(|failure: Failure| self.bus_error(failure))
    }

    /// Converts a failure to an error that names the file.
    pub fn bus_error(&self, failure: impl Into<Failure>) -> BusError {
        failure.into().into_bus_error(&self.file, self.config.lock_timeout)
    }

    /// Runs a query on the reading thread.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BusError> {
        self.reader.run(move |connection, ()| query(connection)).await?.map_err(|failure| self.bus_error(failure))
    }
}
