//! Reading a topic without a group, from a cursor on.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, StreamConsumer},
    error::KafkaError,
};
use schemas::Topic;

use super::{
    Shared, Watchers, client,
    client::{Brokers, Context},
    failure,
    subscription::{MAX_BYTES, delivery, passes},
};
use crate::{BusError, Cursor, Delivery, Page};

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a transaction may be undecided: its own limit, and the broker's pause between two looks at such limits.
const TIME_TO_DECIDE: Duration = Duration::from_secs(25);

/// The next offset to read in each partition.
type Places = BTreeMap<i32, i64>;

/// A consumer that is put at a cursor's place when it is not there already.
pub struct Reader {
    topic: Topic,
    /// On this cluster.
    name: String,
    partitions: u16,
    brokers: Arc<Brokers>,
    consumer: StreamConsumer<Context>,
    watchers: Watchers,
    standing: Option<Standing>,
}

/// Where the consumer stands.
struct Standing {
    next: Places,
    /// Where the partitions ended when it was put there.
    ends: Places,
}

impl Reader {
    /// A reader of the topic.
    pub fn new(bus: &Shared, topic: Topic) -> Result<Reader, BusError> {
        let mut config = client::consumer(&bus.client);
        // Compaction and transactions leave offsets without a record: only this tells that a partition was read to its end.
        config.set("enable.partition.eof", "true");
        // The library wants a name, although no group is joined.
        config.set("group.id", format!("{}detective-reader", bus.config.kafka.prefix));
        let consumer = bus.create::<StreamConsumer<Context>>(&config)?;
        let (name, partitions) = (bus.config.kafka.name(topic), bus.partitions(topic));
        let (brokers, watchers) = (Arc::clone(&bus.brokers), bus.watchers()?);
        Ok(Reader { topic, name, partitions, brokers, consumer, watchers, standing: None })
    }

    /// The offset behind the last record of each partition, once it is decided for all that are there now whether they count.
    ///
    /// A transaction that was committed a moment ago may not be seen yet, so that it takes a look at what is undecided too.
    pub async fn ends(&self) -> Result<Places, BusError> {
        let written = self.ends_by(&self.watchers.written).await?;
        let give_up = Instant::now() + TIME_TO_DECIDE;
        loop {
            let decided = self.ends_by(&self.watchers.decided).await?;
            // Who left a transaction open for so long has died, and the broker will take it back.
            if has_reached(&decided, &written) || Instant::now() > give_up {
                self.brokers.answered();
                return Ok(decided);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The ends as that client sees them. A broker that has just come back may need a moment to know.
    async fn ends_by(&self, watcher: &Arc<BaseConsumer<Context>>) -> Result<Places, BusError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let (name, partitions, asked) = (self.name.clone(), self.partitions, Arc::clone(watcher));
            let ask = move || ask_for_ends(&asked, &name, partitions);
            match tokio::task::spawn_blocking(ask).await.map_err(|_| BusError::Stopped)? {
                Ok(ends) => return Ok(ends),
                Err(error) if passes(&error) && Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(failure::failed("find the end of a topic", &error, &self.brokers)),
            }
        }
    }

    /// At most `max` records from the cursor on; waits up to `wait` for the first one.
    pub async fn read(&mut self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let until = Instant::now().checked_add(wait);
        let ends = self.ends().await?;
        // Taken while this is at work: if the call is dropped, the consumer's place is unknown.
        let standing = self.standing.take().filter(|standing| standing.next == from.next);
        if wait.is_zero() && has_reached(&from.next, &ends) {
            // Nothing is fetched ahead for a reader that is done.
            self.consumer.unassign().map_err(|error| self.failed(&error))?;
            return Ok(Page { deliveries: Vec::new(), next: from.clone() });
        }
        let mut standing = match standing {
            Some(standing) => standing,
            None => self.stand(from.next.clone(), &ends)?,
        };
        let deliveries = self.await_some(&mut standing, &ends, max, until).await?;
        let next = Cursor { topic: self.topic, next: standing.next.clone() };
        self.standing = Some(standing);
        Ok(Page { deliveries, next })
    }

    async fn await_some(
        &self,
        standing: &mut Standing,
        ends: &Places,
        max: usize,
        until: Option<Instant>,
    ) -> Result<Vec<Delivery>, BusError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let has_reached = has_reached(&standing.next, ends);
            let deadline = if has_reached { until } else { until.map(|until| until.max(give_up)) };
            let received = match deadline {
                None => self.consumer.recv().await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), self.consumer.recv()).await {
                    Ok(received) => received,
                    Err(_) if has_reached => return Ok(Vec::new()),
                    Err(_) => return Err(self.brokers.unreachable(&KafkaError::NoMessageReceived)),
                },
            };
            match received {
                Ok(message) => return Ok(self.and_more(standing, delivery(self.topic, &message), max)),
                // Seen before the ends were asked for, it may be of an earlier end.
                Err(KafkaError::PartitionEOF(partition)) if standing.ends.get(&partition) < ends.get(&partition) => {
                    *standing = self.stand(standing.next.clone(), ends)?;
                }
                Err(KafkaError::PartitionEOF(partition)) => reach(&mut standing.next, partition, ends),
                Err(error) if passes(&error) => tracing::debug!(%error, "reading goes on"),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// What is here already.
    fn and_more(&self, standing: &mut Standing, first: Delivery, max: usize) -> Vec<Delivery> {
        let mut bytes = first.value.len();
        standing.next.insert(first.partition, first.offset.saturating_add(1));
        let mut deliveries = vec![first];
        while deliveries.len() < max && bytes < MAX_BYTES {
            match self.consumer.recv().now_or_never() {
                Some(Ok(message)) => {
                    let delivery = delivery(self.topic, &message);
                    bytes += delivery.value.len();
                    standing.next.insert(delivery.partition, delivery.offset.saturating_add(1));
                    deliveries.push(delivery);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    let ends = standing.ends.clone();
                    reach(&mut standing.next, partition, &ends);
                }
                _ => break,
            }
        }
        self.brokers.answered();
        deliveries
    }

    fn stand(&self, next: Places, ends: &Places) -> Result<Standing, BusError> {
        let mut places = TopicPartitionList::with_capacity(usize::from(self.partitions));
        for partition in 0..i32::from(self.partitions) {
            let offset = next.get(&partition).map_or(Offset::Beginning, |next| Offset::Offset(*next));
            places.add_partition_offset(&self.name, partition, offset).map_err(|error| self.failed(&error))?;
        }
        self.consumer.assign(&places).map_err(|error| self.failed(&error))?;
        Ok(Standing { next, ends: ends.clone() })
    }

    fn failed(&self, error: &KafkaError) -> BusError {
        failure::failed("read", error, &self.brokers)
    }
}

/// Blocks.
fn ask_for_ends(consumer: &BaseConsumer<Context>, topic: &str, partitions: u16) -> Result<Places, KafkaError> {
    let mut newest = TopicPartitionList::with_capacity(usize::from(partitions));
    for partition in 0..i32::from(partitions) {
        newest.add_partition_offset(topic, partition, Offset::End)?;
    }
    let mut ends = Places::new();
    for element in consumer.offsets_for_times(newest, PATIENCE)?.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            ends.insert(element.partition(), offset);
        }
    }
    Ok(ends)
}

/// Whether there is nothing between these places and the ends.
fn has_reached(next: &Places, ends: &Places) -> bool {
    ends.iter().all(|(partition, end)| next.get(partition).copied().unwrap_or(0) >= *end)
}

fn reach(next: &mut Places, partition: i32, ends: &Places) {
    if let Some(end) = ends.get(&partition) {
        let next = next.entry(partition).or_insert(0);
        *next = (*next).max(*end);
    }
}
