//! Events on standard output, as they are published.

use std::{
    io::{Write, stdout},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, Page, Positions, Record, Subscription};
use schemas::{RootCauseEvent, Topic};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::render::{self, Colour};

/// So many events wait for a reader that stands still; those beyond are in the topic alone.
const WAITING: usize = 1024;
const TIME_TO_PRINT: Duration = Duration::from_secs(1);

/// Whether standard output is to be coloured: for people who have not said otherwise.
pub fn colour() -> Colour {
    if service::report::should_colour(&stdout()) { Colour::On } else { Colour::Off }
}

/// Writes events for people or for programs.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    colour: Colour,
}

impl Printer {
    /// To standard output: for people, or with `json` a line each for programs.
    pub fn to_stdout(json: bool) -> Printer {
        Printer { json, colour: colour() }
    }

    /// Prints an event. False means that nobody reads any more.
    pub fn print(&self, event: &RootCauseEvent) -> bool {
        let text = match self.json {
            true => serde_json::to_string(event).unwrap_or_default() + "\n",
            false => render::event(event, self.colour),
        };
        let mut out = stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }
}

/// A bus whose events are printed once they are published, which is once each and by nobody else: several scorers
/// share a topic.
pub struct Announced {
    bus: Arc<dyn Bus>,
    events: mpsc::Sender<Word>,
}

enum Word {
    Event(Box<RootCauseEvent>),
    /// All that came before is printed.
    Done(oneshot::Sender<()>),
}

impl Announced {
    /// That bus, announced by that printer. Must be called within a tokio runtime.
    pub fn new(bus: Arc<dyn Bus>, printer: Printer) -> Announced {
        let (events, mut words) = mpsc::channel(WAITING);
        // Whoever reads standard output slowly, or not at all, holds up nothing but this thread.
        tokio::task::spawn_blocking(move || {
            while let Some(word) = words.blocking_recv() {
                match word {
                    Word::Event(event) => drop(printer.print(&event)),
                    Word::Done(done) => drop(done.send(())),
                }
            }
        });
        Announced { bus, events }
    }
}

#[async_trait]
impl Bus for Announced {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let alerts = records.iter().filter(|record| record.topic == Topic::Alerts);
        let events: Vec<RootCauseEvent> = alerts.filter_map(|alert| schemas::decode(&alert.value).ok()).collect();
        self.bus.publish(records, positions).await?;
        for event in events {
            let _ = self.events.try_send(Word::Event(Box::new(event)));
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
        let (done, printed) = oneshot::channel();
        if self.events.try_send(Word::Done(done)).is_ok() {
            let _ = timeout(TIME_TO_PRINT, printed).await;
        }
        self.bus.close().await;
    }
}
