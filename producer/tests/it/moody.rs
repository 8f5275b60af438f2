//! A real bus that fails or hangs when it is told to.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusConfig, BusError, Cursor, EmbeddedBus, Page, Positions, Record, Subscription};
use schemas::{GraphSnapshot, Topic};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the bus does with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Fails,
    Hangs,
    Stops,
}

/// An embedded bus in a directory of its own, with a mood.
pub struct Moody {
    inner: EmbeddedBus,
    mood: watch::Sender<Mood>,
    /// How often it was asked to take something.
    asked: watch::Sender<usize>,
    _directory: TempDir,
}

impl Moody {
    pub async fn open(mood: Mood, max_record_bytes: u64) -> Arc<Moody> {
        let directory = TempDir::new().unwrap();
        let config = BusConfig { path: directory.path().to_owned(), max_record_bytes, ..BusConfig::default() };
        Arc::new(Moody {
            inner: EmbeddedBus::open(&config).await.unwrap(),
            mood: watch::Sender::new(mood),
            asked: watch::Sender::new(0),
            _directory: directory,
        })
    }

    pub fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits until it has been asked so often, from now on, to take something.
    pub async fn asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let wanted = *asked.borrow() + times;
        timeout(PATIENCE, asked.wait_for(|asked| *asked >= wanted)).await.expect("it is asked in time").unwrap();
    }

    /// All snapshots that have arrived, once there are at least so many.
    pub async fn snapshots(&self, at_least: usize) -> Vec<GraphSnapshot> {
        timeout(PATIENCE, self.find_snapshots(at_least)).await.expect("they arrive in time")
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
impl Bus for Moody {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        self.asked.send_modify(|asked| *asked += 1);
        let mut mood = self.mood.subscribe();
        let mood = *mood.wait_for(|mood| *mood != Mood::Hangs).await.unwrap();
        match mood {
            Mood::Fails => Err(BusError::Unreachable { brokers: "nowhere:1".into(), reason: "a test".into() }),
            Mood::Stops => Err(BusError::Stopped),
            Mood::Takes | Mood::Hangs => self.inner.publish(records, positions).await,
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
