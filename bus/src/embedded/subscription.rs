//! Waits for records.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::Topic;
use tokio::time::{Instant, timeout_at};

use super::{
    fetch::{self, NextOffsets},
    store::Store,
};
use crate::{BusError, Delivery, Subscription, losses::Losses};

/// Reads topics from the positions of a group on.
pub struct EmbeddedSubscription {
    store: Arc<Store>,
    topics: Vec<Topic>,
    next: NextOffsets,
    losses: Losses,
}

impl EmbeddedSubscription {
    /// A subscription that reads from `next` on.
    pub fn new(store: Arc<Store>, topics: Vec<Topic>, next: NextOffsets) -> Self {
        EmbeddedSubscription { store, topics, next, losses: Losses::default() }
    }
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let deliveries = wait_for_records(&self.store, &self.topics, &self.next, max, None).await?;
        // No await from here on, so a call that is dropped does not move the offsets.
        for delivery in &deliveries {
            // A partition that was created after the subscription begins at offset 0.
            let next = self.next.entry((delivery.topic, delivery.partition)).or_insert(0);
            self.losses.add_gap(delivery.topic, *next, delivery.offset);
            *next = delivery.offset.saturating_add(1);
        }
        Ok(deliveries)
    }

    fn lost_count(&self) -> u64 {
        self.losses.count()
    }
}

/// Reads at most `max` records from `next` on. Waits for the first one until `deadline`, or without
/// a limit if there is none.
pub async fn wait_for_records(
    store: &Store,
    topics: &[Topic],
    next: &NextOffsets,
    max: usize,
    deadline: Option<Instant>,
) -> Result<Vec<Delivery>, BusError> {
    loop {
        // Register for commits before the query, or a commit between the two would be missed.
        let mut commit = Box::pin(store.commits.notified());
        commit.as_mut().enable();
        let topics = topics.to_vec();
        let from = next.clone();
        let found = store.query(move |connection| fetch::fetch(connection, &topics, &from, max)).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        match deadline {
            None => commit.await,
            Some(deadline) => {
                if deadline <= Instant::now() || timeout_at(deadline, commit).await.is_err() {
                    return Ok(found);
                }
            }
        }
    }
}
