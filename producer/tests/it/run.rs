//! The loop, on a bus.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, Page, Positions, Record, Subscription};
use producer::ProducerError;
use schemas::{GraphSnapshot, Topic};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::children::producer;

/// A bus that refuses its first records and hands over the rest.
struct Moody {
    refusals: Mutex<u32>,
    taken: UnboundedSender<Record>,
}

#[async_trait]
impl Bus for Moody {
    async fn publish(&self, records: Vec<Record>, _: Option<Positions>) -> Result<(), BusError> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(BusError::Stopped);
        }
        records.into_iter().for_each(|record| self.taken.send(record).unwrap());
        Ok(())
    }

    async fn subscribe(&self, _: &str, _: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        Err(BusError::Stopped)
    }

    async fn read(&self, _: &Cursor, _: usize, _: Duration) -> Result<Page, BusError> {
        Err(BusError::Stopped)
    }

    async fn end(&self, _: Topic) -> Result<Cursor, BusError> {
        Err(BusError::Stopped)
    }
}

#[tokio::test]
async fn snapshots_follow_one_another_and_the_refused_ones_are_counted() {
    let (taken, mut records) = unbounded_channel();
    let bus = Arc::new(Moody { refusals: Mutex::new(2), taken });
    let shutdown = CancellationToken::new();
    let mut producer = producer();
    producer.sweep.interval = Duration::from_millis(50);
    let running = tokio::spawn(producer::run(producer, bus, shutdown.clone()));
    let mut snapshots = Vec::new();
    for _ in 0..3 {
        let record = records.recv().await.unwrap();
        assert_eq!((record.topic, record.key.as_str()), (Topic::Snapshots, "host"));
        snapshots.push(schemas::decode::<GraphSnapshot>(&record.value).unwrap());
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let sequences: Vec<i64> = snapshots.iter().map(|snapshot| snapshot.sequence).collect();
    assert_eq!(sequences, [2, 3, 4]);
    let dropped = |snapshot: &GraphSnapshot| {
        let entry = snapshot.coverage.iter().find(|entry| entry.signal == "snapshot");
        entry.map(|entry| (entry.reason.clone(), entry.count))
    };
    assert_eq!(dropped(&snapshots[0]), Some(("gone".into(), 2)));
    assert_eq!(dropped(&snapshots[1]), None);
}

#[tokio::test]
async fn a_root_that_is_no_proc_ends_the_run_at_once() {
    let (taken, _records) = unbounded_channel();
    let bus = Arc::new(Moody { refusals: Mutex::new(0), taken });
    let root = tempfile::TempDir::new().unwrap();
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let ended = producer::run(producer, bus, CancellationToken::new()).await;
    assert!(matches!(ended, Err(ProducerError::NotProc { .. })));
}
