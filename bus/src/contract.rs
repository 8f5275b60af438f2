//! The tests that every implementation passes. Each function gets an empty bus.
//!
//! [`contract_tests!`](crate::contract_tests) makes a test of each function.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod dead_letters;
mod publishing;
mod reading;

pub use dead_letters::*;
pub use publishing::*;
pub use reading::*;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use schemas::{Timestamp, Topic};

use crate::{Bus, Delivery, Positions, Record, Subscription, for_each};

/// Partitions per topic of the bus under test.
pub const PARTITIONS: u16 = 3;
/// Size limit of a record of the bus under test, in bytes.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// A bus for one test, empty at first.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens the bus as another process would, with [`PARTITIONS`] and [`MAX_RECORD_BYTES`].
    async fn open(&self) -> Arc<dyn Bus>;
}

/// Makes a test of each function of the contract. Each test evaluates `$fixture`, a [`Fixture`].
/// Attributes apply to each test: `contract_tests!(fixture(), #[ignore = "needs ..."])`.
#[macro_export]
macro_rules! contract_tests {
    ($fixture:expr $(, #[$attribute:meta])*) => {
        $crate::contract_tests! { @each ($(#[$attribute])*) $fixture;
            records_are_read_as_they_were_published
            records_of_one_key_keep_their_order
            offsets_increase_in_each_partition
            a_chosen_partition_is_kept
            an_unknown_partition_is_named_and_nothing_is_published
            a_record_that_is_too_large_is_named_and_nothing_is_published
            rejected_records_become_dead_letters_and_the_others_are_published
            the_dead_letter_of_a_record_just_below_the_limit_is_truncated
            a_dead_letter_keeps_its_reason_however_long_key_and_headers_are
            positions_move_with_records_or_alone
            a_large_batch_is_published_completely
            concurrent_publishers_lose_no_record
            a_compacted_topic_keeps_the_newest_record_of_each_key
            a_tombstone_deletes_a_key
            two_groups_are_independent
            another_handle_continues_at_the_positions_of_the_group
            records_without_published_positions_are_read_again
            a_subscription_waits_for_a_record_of_its_topics
            handles_read_the_records_of_each_other
            a_dropped_call_has_read_nothing
            reading_continues_at_its_cursor
            a_single_record_is_read_at_its_position
            the_end_of_a_topic_is_after_its_last_record
            a_read_waits_for_the_first_record
            a_read_that_times_out_returns_an_empty_page
        }
    };
    (@each $attributes:tt $fixture:expr; $($name:ident)*) => {
        $($crate::contract_tests! { @one $attributes $fixture; $name })*
    };
    (@one ($(#[$attribute:meta])*) $fixture:expr; $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$attribute])*
        async fn $name() {
            $crate::contract::$name(&$fixture).await;
        }
    };
}

/// Fails the test if `future` takes more than a minute, far longer than any operation should.
async fn with_timeout<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("a result within a minute")
}

fn record(topic: Topic, key: &str, value: impl ToString) -> Record {
    Record::new(topic, key, value.to_string().into_bytes(), Timestamp(1_700_000_000_000))
}

async fn publish(bus: &dyn Bus, topic: Topic, key: &str, values: &[&str]) {
    let records = values.iter().map(|value| record(topic, key, value)).collect();
    with_timeout(bus.publish(records, None)).await.unwrap();
}

async fn commit(bus: &dyn Bus, group: &str, deliveries: &[Delivery]) {
    with_timeout(bus.publish(Vec::new(), Some(Positions::after(group, deliveries)))).await.unwrap();
}

/// Reads the next `count` records, in several calls if necessary.
async fn read_next(subscription: &mut dyn Subscription, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let more = with_timeout(subscription.next(count - deliveries.len())).await.unwrap();
        assert!(!more.is_empty(), "`next` returned without a record");
        deliveries.extend(more);
    }
    assert_eq!(deliveries.len(), count, "`next` returned more than `max` records");
    deliveries
}

async fn read_all(bus: &dyn Bus, topic: Topic) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    with_timeout(for_each(bus, topic, |delivery| deliveries.push(delivery))).await.unwrap();
    deliveries
}

fn values(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| std::str::from_utf8(&delivery.value).unwrap()).collect()
}
