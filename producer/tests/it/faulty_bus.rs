//! A real bus that fails or hangs on request.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusConfig, BusError, Cursor, EmbeddedBus, Page, Positions, Record, Subscription};
use schemas::{GraphSnapshot, Topic};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How the bus treats publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Accept,
    Fail,
    Hang,
    Stop,
}

/// An embedded bus in a directory of its own, with injectable faults.
pub struct FaultyBus {
    inner: EmbeddedBus,
    mode: watch::Sender<Mode>,
    /// Number of publications attempted so far.
    attempts: watch::Sender<usize>,
    _directory: TempDir,
}

impl FaultyBus {
    pub async fn open(mode: Mode, max_record_bytes: u64) -> Arc<FaultyBus> {
        let directory = TempDir::new().unwrap();
        let config = BusConfig { path: directory.path().to_owned(), max_record_bytes, ..BusConfig::default() };
        Arc::new(FaultyBus {
            inner: EmbeddedBus::open(&config).await.unwrap(),
            mode: watch::Sender::new(mode),
            attempts: watch::Sender::new(0),
            _directory: directory,
        })
    }

    pub fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits for that many further attempts to publish.
    pub async fn await_attempts(&self, times: usize) {
        let mut attempts = self.attempts.subscribe();
        let wanted = *attempts.borrow() + times;
        timeout(TIMEOUT, attempts.wait_for(|attempts| *attempts >= wanted))
            .await
            .expect("publications are attempted in time")
            .unwrap();
    }

    /// Returns all snapshots on the bus, once there are at least `at_least`.
    pub async fn snapshots(&self, at_least: usize) -> Vec<GraphSnapshot> {
        timeout(TIMEOUT, self.find_snapshots(at_least)).await.expect("snapshots arrive in time")
    }

    async fn find_snapshots(&self, at_least: usize) -> Vec<GraphSnapshot> {
        loop {
            let mut snapshots = Vec::new();
            bus::for_each(&self.inner, Topic::Snapshots, |delivery| {
                snapshots.push(schemas::decode(&delivery.value).unwrap());
            })
            .await
            .unwrap();
            if snapshots.len() >= at_least {
                return snapshots;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        self.attempts.send_modify(|attempts| *attempts += 1);
        let mut mode = self.mode.subscribe();
        let mode = *mode.wait_for(|mode| *mode != Mode::Hang).await.unwrap();
        match mode {
            Mode::Fail => Err(BusError::Unreachable { brokers: "nowhere:1".into(), reason: "a test".into() }),
            Mode::Stop => Err(BusError::Stopped),
            Mode::Accept | Mode::Hang => self.inner.publish(records, positions).await,
        }
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.inner.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        self.inner.read(from, max, wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.inner.end(topic).await
    }
}
