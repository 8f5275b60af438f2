//! The tests that every implementation passes: each function takes a place that is a bus of its own.
//!
//! [`contract_tests!`](crate::contract_tests) makes a test of each of them.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod publishing;
mod reading;

pub use publishing::*;
pub use reading::*;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use schemas::{Timestamp, Topic};

use crate::{Bus, Delivery, Positions, Record, Subscription, for_each};

/// What a place's bus is configured with.
pub const PARTITIONS: u16 = 3;
/// What a place's bus is configured with.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Where a bus of its own is, empty at first.
#[async_trait]
pub trait Place: Send + Sync {
    /// A new handle on it, as another process would open one, with [`PARTITIONS`] and [`MAX_RECORD_BYTES`].
    async fn open(&self) -> Arc<dyn Bus>;
}

/// A test of each function of the contract; `$place` is evaluated in each, and is a [`Place`]. Attributes go to each
/// test: `contract_tests!(place(), #[ignore = "needs ..."])`.
#[macro_export]
macro_rules! contract_tests {
    ($place:expr $(, #[$attribute:meta])*) => {
        $crate::contract_tests! { @each ($(#[$attribute])*) $place;
            records_come_as_they_were_published
            records_of_one_key_keep_their_order
            offsets_grow_by_one_in_each_partition
            a_chosen_partition_is_kept
            an_unknown_partition_is_named_and_nothing_happens
            a_record_that_is_too_large_is_named_and_nothing_happens
            positions_move_with_the_records_or_alone
            a_large_batch_arrives_whole
            publishers_at_once_lose_nothing
            a_compacted_topic_keeps_the_newest_record_of_each_key
            a_tombstone_ends_a_key
            two_groups_are_independent
            another_handle_goes_on_where_the_group_stood
            what_was_not_committed_comes_again
            a_subscription_waits_and_wakes
            handles_see_the_records_of_each_other
            a_dropped_call_has_read_nothing
            reading_goes_on_from_its_cursor
            the_end_of_a_topic_is_behind_what_it_holds
            a_read_waits_for_the_first_record
            a_read_that_waits_in_vain_is_empty
        }
    };
    (@each $attributes:tt $place:expr; $($name:ident)*) => {
        $($crate::contract_tests! { @one $attributes $place; $name })*
    };
    (@one ($(#[$attribute:meta])*) $place:expr; $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$attribute])*
        async fn $name() {
            $crate::contract::$name(&$place).await;
        }
    };
}

/// Waits far longer than anything may take, so that a bus that never answers is a failure.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("an answer within a minute")
}

fn record(topic: Topic, key: &str, value: impl ToString) -> Record {
    Record::new(topic, key, value.to_string().into_bytes(), Timestamp(1_700_000_000_000))
}

async fn publish(bus: &dyn Bus, topic: Topic, key: &str, values: &[&str]) {
    let records = values.iter().map(|value| record(topic, key, value)).collect();
    soon(bus.publish(records, None)).await.unwrap();
}

async fn commit(bus: &dyn Bus, group: &str, deliveries: &[Delivery]) {
    soon(bus.publish(Vec::new(), Some(Positions::after(group, deliveries)))).await.unwrap();
}

/// The next `count` records, in as many calls as it takes.
async fn take(subscription: &mut dyn Subscription, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let more = soon(subscription.next(count - deliveries.len())).await.unwrap();
        assert!(!more.is_empty(), "`next` returned without a record");
        deliveries.extend(more);
    }
    assert_eq!(deliveries.len(), count, "`next` returned more than was asked for");
    deliveries
}

async fn held(bus: &dyn Bus, topic: Topic) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    soon(for_each(bus, topic, |delivery| deliveries.push(delivery))).await.unwrap();
    deliveries
}

fn values(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| std::str::from_utf8(&delivery.value).unwrap()).collect()
}
