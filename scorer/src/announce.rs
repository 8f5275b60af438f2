//! Events on standard output, as they are published.

use std::{
    io::{Write, stdout},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, Page, Positions, Record, Subscription};
use schemas::{RootCauseEvent, Topic};

use crate::render::{self, Colour};

/// Writes events for people or for programs.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    colour: Colour,
}

impl Printer {
    /// To standard output: for programs a JSON line each, for people coloured if that is a terminal and they have not
    /// said otherwise.
    pub fn to_stdout(json: bool) -> Printer {
        let colour = if service::report::colour(&stdout()) { Colour::On } else { Colour::Off };
        Printer { json, colour }
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
    printer: Printer,
}

impl Announced {
    /// That bus, announced by that printer.
    pub fn new(bus: Arc<dyn Bus>, printer: Printer) -> Announced {
        Announced { bus, printer }
    }
}

#[async_trait]
impl Bus for Announced {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let alerts = records.iter().filter(|record| record.topic == Topic::Alerts);
        let events: Vec<RootCauseEvent> = alerts.filter_map(|alert| schemas::decode(&alert.value).ok()).collect();
        self.bus.publish(records, positions).await?;
        for event in &events {
            self.printer.print(event);
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
        self.bus.close().await;
    }
}
