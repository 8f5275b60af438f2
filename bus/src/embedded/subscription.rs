//! Waiting for records.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::Topic;
use tokio::time::{Instant, timeout_at};

use super::{Places, Shared, fetch};
use crate::{BusError, Delivery, Subscription};

/// Reads on in some topics.
pub struct EmbeddedSubscription {
    bus: Arc<Shared>,
    topics: Vec<Topic>,
    places: Places,
}

impl EmbeddedSubscription {
    /// A subscription that starts at `places`.
    pub fn new(bus: Arc<Shared>, topics: Vec<Topic>, places: Places) -> Self {
        EmbeddedSubscription { bus, topics, places }
    }
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let deliveries = await_some(&self.bus, &self.topics, &self.places, max, None).await?;
        // There is no await from here on: whoever drops this call has not moved the places.
        for delivery in &deliveries {
            self.places.insert((delivery.topic, delivery.partition), delivery.offset.saturating_add(1));
        }
        Ok(deliveries)
    }
}

/// Looks for records from `places` on, and waits `until` then for some; for ever without an end.
pub async fn await_some(
    bus: &Shared,
    topics: &[Topic],
    places: &Places,
    max: usize,
    until: Option<Instant>,
) -> Result<Vec<Delivery>, BusError> {
    loop {
        // Listen first, then look: what is committed in between is not missed.
        let mut news = Box::pin(bus.news.notified());
        news.as_mut().enable();
        let (wanted, from) = (topics.to_vec(), places.clone());
        let found = bus.query(move |connection| fetch::fetch(connection, &wanted, &from, max)).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        match until {
            None => news.await,
            Some(until) => {
                if until <= Instant::now() || timeout_at(until, news).await.is_err() {
                    return Ok(found);
                }
            }
        }
    }
}
