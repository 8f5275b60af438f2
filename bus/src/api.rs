//! What a bus can do.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use schemas::Topic;

use crate::{BusError, Delivery, Positions, Record};

/// Topics in and out.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Appends all records and moves the group's positions, or does neither.
    ///
    /// Once it returns, the records survive the death of any process. A call that is dropped before it returns may
    /// or may not have happened, but never by half.
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError>;

    /// Reads on from where the group stands, from the oldest record of each partition where it never committed.
    ///
    /// A group is one reader's name. Where several programs read as one group, they share its partitions on Kafka; on
    /// the embedded bus each gets every record.
    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError>;

    /// At most `max` records from the cursor on, without a group, and where to read on.
    ///
    /// Waits up to `wait` for the first one; an empty page means that there is none yet. With no wait, reading until
    /// a page is empty visits every record that the topic holds.
    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError>;

    /// A cursor behind the newest record that the topic has now.
    async fn end(&self, topic: Topic) -> Result<Cursor, BusError>;

    /// Waits until dropped subscriptions have left their groups, for at most three seconds.
    ///
    /// Call it before the program ends. Otherwise the other members of the groups take over only
    /// after the session timeout.
    async fn close(&self) {}
}

/// The records that a group has not yet read, as they come.
#[async_trait]
pub trait Subscription: Send {
    /// Waits until there is a record, then returns at most `max`, and no more than a few megabytes, in order per
    /// partition; always at least one.
    ///
    /// The subscription reads on; the group's position moves by [`Bus::publish`] alone. Records that fell to
    /// retention meanwhile are passed over. A call that is dropped before it returns has read nothing.
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError>;

    /// Grows whenever the group's partitions were dealt out anew among its members.
    ///
    /// What was read before and whose positions were not published comes again, here or at another member; a
    /// publication with its positions fails with [`BusError::Superseded`]. Who keeps state of what they read compares
    /// this after every `next`, and begins anew with the first record that came after a change.
    fn epoch(&self) -> u64 {
        0
    }
}

/// A place in a topic: the next offset to read in each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) topic: Topic,
    /// A partition that is not there is read from its oldest record.
    pub(crate) next: BTreeMap<i32, i64>,
}

impl Cursor {
    /// Before the oldest record of the topic.
    pub fn start(topic: Topic) -> Self {
        Cursor { topic, next: BTreeMap::new() }
    }

    /// The topic that it is a place in.
    pub fn topic(&self) -> Topic {
        self.topic
    }
}

/// What one read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In order per partition.
    pub deliveries: Vec<Delivery>,
    /// Where to read on.
    pub next: Cursor,
}

/// Hands every record that the topic holds to `visit`, in order per partition, and returns where it stopped.
///
/// In a compacted topic a key may come more than once and its last record counts; an empty value says that the key
/// is gone.
pub async fn for_each(bus: &dyn Bus, topic: Topic, mut visit: impl FnMut(Delivery) + Send) -> Result<Cursor, BusError> {
    const PAGE: usize = 256;
    let mut cursor = Cursor::start(topic);
    loop {
        let page = bus.read(&cursor, PAGE, Duration::ZERO).await?;
        cursor = page.next;
        if page.deliveries.is_empty() {
            return Ok(cursor);
        }
        page.deliveries.into_iter().for_each(&mut visit);
    }
}
