//! A bus that prints the events that are published through it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, Page, Positions, Record, Subscription};
use schemas::{RootCauseEvent, Topic};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::printer::Printer;

/// Events that may wait for a slow reader of standard output. Further events are published but not
/// printed.
const QUEUE_LENGTH: usize = 1024;
/// How long [`Bus::close`] waits for queued events to be printed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Wraps a bus and prints each event after it is published.
///
/// Several scorers share the alerts topic; this way each event is printed once, by the scorer that
/// published it.
pub struct PrintingBus {
    bus: Arc<dyn Bus>,
    queue: mpsc::Sender<Message>,
}

enum Message {
    Event(Box<RootCauseEvent>),
    /// Request for a reply once all earlier events are printed.
    Flush(oneshot::Sender<()>),
}

impl PrintingBus {
    /// Wraps `bus` and prints with `printer`. Must be called within a tokio runtime.
    pub fn new(bus: Arc<dyn Bus>, printer: Printer) -> PrintingBus {
        let (queue, mut messages) = mpsc::channel(QUEUE_LENGTH);
        // Writing to standard output can block, so it has a thread of its own.
        tokio::task::spawn_blocking(move || {
            while let Some(message) = messages.blocking_recv() {
                match message {
                    Message::Event(event) => drop(printer.print(&event)),
                    Message::Flush(reply) => drop(reply.send(())),
                }
            }
        });
        PrintingBus { bus, queue }
    }
}

#[async_trait]
impl Bus for PrintingBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let alerts = records.iter().filter(|record| record.topic == Topic::Alerts);
        let events: Vec<RootCauseEvent> = alerts.filter_map(|alert| schemas::decode(&alert.value).ok()).collect();
        self.bus.publish(records, positions).await?;
        for event in events {
            let _ = self.queue.try_send(Message::Event(Box::new(event)));
        }
        Ok(())
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.bus.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        self.bus.read(from, max, wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.bus.end(topic).await
    }

    async fn close(&self) {
        let (reply, flushed) = oneshot::channel();
        if self.queue.try_send(Message::Flush(reply)).is_ok() {
            let _ = timeout(FLUSH_TIMEOUT, flushed).await;
        }
        self.bus.close().await;
    }
}
