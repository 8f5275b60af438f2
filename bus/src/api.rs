//! The traits of a bus, and reading a topic without a consumer group.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use schemas::Topic;

use crate::{BusError, Delivery, Positions, Record};

/// A set of topics to publish to and read from.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Appends all records and moves the group's positions, or does neither.
    ///
    /// Once it returns, the records survive the death of any process. If the call is dropped before
    /// it returns, it takes effect as a whole or not at all.
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError>;

    /// Subscribes to topics as a member of a consumer group.
    ///
    /// Reading starts at the group's positions, or at the oldest record of a partition that has
    /// none. On Kafka, the programs that read as one group share its partitions; on the embedded
    /// bus, each of them receives every record.
    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError>;

    /// Reads at most `max` records at the cursor, without a group.
    ///
    /// Waits up to `wait` for the first record; the page is empty if none arrives. Without a wait,
    /// reading until a page is empty visits every record of the topic.
    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError>;

    /// Returns a cursor after the newest record of the topic.
    async fn end(&self, topic: Topic) -> Result<Cursor, BusError>;

    /// Waits until dropped subscriptions have left their groups, for at most three seconds.
    ///
    /// Call it before the program ends. Otherwise the other members of the groups take over only
    /// after the session timeout.
    async fn close(&self) {}
}

/// The membership of a consumer group: receives the records that the group has not read.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for a record, then returns up to `max` records and a few megabytes, in order per
    /// partition; at least one record.
    ///
    /// Moves only the position of this subscription; [`Bus::publish`] moves the group's. Records
    /// that retention deletes before they are read are skipped and counted. A call that is dropped
    /// before it returns has read nothing.
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError>;

    /// Counts the records that retention deleted before this subscription read them.
    ///
    /// Kafka deletes whole segments, in which the ends of transactions take offsets too: there the
    /// count is an upper bound, and a single missing record is not counted.
    fn lost_count(&self) -> u64;

    /// Counts the rebalances of the group.
    ///
    /// After a rebalance, this or another member receives again what was read before and whose
    /// positions were not published; publishing them fails with [`BusError::Superseded`]. A reader
    /// that keeps state compares the count after every [`next`](Self::next), and starts afresh with
    /// the first record after a change.
    fn rebalance_count(&self) -> u64 {
        0
    }
}

/// A place in a topic: the next offset to read in each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) topic: Topic,
    /// Partitions that are missing here are read from their oldest record.
    pub(crate) next: BTreeMap<i32, i64>,
}

impl Cursor {
    /// A cursor before the oldest record of the topic.
    pub fn start(topic: Topic) -> Self {
        Cursor { topic, next: BTreeMap::new() }
    }

    /// The same cursor, but with another next offset to read in one partition.
    #[must_use]
    pub fn with_position(mut self, partition: i32, offset: i64) -> Self {
        self.next.insert(partition, offset);
        self
    }

    /// The topic of the cursor.
    pub fn topic(&self) -> Topic {
        self.topic
    }
}

/// The result of one [`Bus::read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records, in order per partition.
    pub deliveries: Vec<Delivery>,
    /// The cursor after them.
    pub next: Cursor,
}

/// Calls `visit` with every record of the topic, in order per partition. Returns the cursor after
/// the last one.
///
/// In a compacted topic the last record of a key counts; an empty value deletes the key.
pub async fn for_each(bus: &dyn Bus, topic: Topic, mut visit: impl FnMut(Delivery) + Send) -> Result<Cursor, BusError> {
    const PAGE_SIZE: usize = 256;
    let mut cursor = Cursor::start(topic);
    loop {
        let page = bus.read(&cursor, PAGE_SIZE, Duration::ZERO).await?;
        cursor = page.next;
        if page.deliveries.is_empty() {
            return Ok(cursor);
        }
        page.deliveries.into_iter().for_each(&mut visit);
    }
}
