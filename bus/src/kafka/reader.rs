//! Reads a topic without a group, from a cursor on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::KafkaError,
};
use schemas::Topic;

use super::{
    broker_status::BrokerStatus,
    client::{self, REQUEST_TIMEOUT, StatusContext},
    connection::Connection,
    ends::{EndClients, PartitionOffsets, has_reached},
    failure,
    subscription::{MAX_BYTES, to_delivery},
};
use crate::{BusError, Cursor, Delivery, Page};

/// A consumer that continues where it stopped, or seeks if the cursor is elsewhere.
pub struct Reader {
    topic: Topic,
    /// The name of the topic on this cluster.
    topic_name: String,
    brokers: Arc<BrokerStatus>,
    consumer: StreamConsumer<StatusContext>,
    end_clients: EndClients,
    assignment: Option<Assignment>,
}

/// The partitions as they are assigned to the consumer.
struct Assignment {
    /// The next offset that the consumer reads.
    next: PartitionOffsets,
    /// The ends of the partitions when they were assigned.
    ends: PartitionOffsets,
}

impl Reader {
    /// A reader of the topic.
    pub fn new(connection: &Connection, end_clients: EndClients, topic: Topic) -> Result<Reader, BusError> {
        let mut config = client::consumer_config(&connection.base_config);
        // Compaction and transactions leave offsets without a record: only this event shows that a
        // partition was read to its end.
        config.set("enable.partition.eof", "true");
        // The library requires a group id, although the reader joins no group.
        config.set("group.id", format!("{}detective-reader", connection.config.kafka.prefix));
        Ok(Reader {
            topic,
            topic_name: connection.topic_name(topic),
            brokers: Arc::clone(&connection.brokers),
            consumer: connection.create_client(&config)?,
            end_clients,
            assignment: None,
        })
    }

    /// The offset after the last committed record of each partition.
    pub async fn ends(&self) -> Result<PartitionOffsets, BusError> {
        self.end_clients.find_ends(&self.topic_name).await
    }

    /// Reads at most `max` records at the cursor. Waits up to `wait` for the first one.
    pub async fn read(&mut self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let wait_until = Instant::now().checked_add(wait);
        let ends = self.ends().await?;
        // Taken during the read: if the call is dropped, the offsets of the consumer are unknown.
        let assignment = self
            .assignment
            .take()
            .filter(|assignment| assignment.next == from.next && assignment.ends.keys().eq(ends.keys()));
        if wait.is_zero() && has_reached(&from.next, &ends) {
            // Stops the consumer from fetching ahead.
            self.consumer.unassign().map_err(|error| self.bus_error(&error))?;
            return Ok(Page { deliveries: Vec::new(), next: from.clone() });
        }
        let mut assignment = match assignment {
            Some(assignment) => assignment,
            None => self.assign(from.next.clone(), &ends)?,
        };
        let deliveries = self.wait_for_records(&mut assignment, &ends, max, wait_until).await?;
        let next = Cursor { topic: self.topic, next: assignment.next.clone() };
        self.assignment = Some(assignment);
        Ok(Page { deliveries, next })
    }

    async fn wait_for_records(
        &self,
        assignment: &mut Assignment,
        ends: &PartitionOffsets,
        max: usize,
        wait_until: Option<Instant>,
    ) -> Result<Vec<Delivery>, BusError> {
        let give_up_at = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let is_at_end = has_reached(&assignment.next, ends);
            let deadline = if is_at_end { wait_until } else { wait_until.map(|until| until.max(give_up_at)) };
            let received = match deadline {
                None => self.consumer.recv().await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), self.consumer.recv()).await {
                    Ok(received) => received,
                    Err(_) if is_at_end => return Ok(Vec::new()),
                    Err(_) => return Err(self.brokers.unreachable(&KafkaError::NoMessageReceived)),
                },
            };
            match received {
                Ok(message) => return Ok(self.add_buffered(assignment, to_delivery(self.topic, &message), max)),
                // The partition has grown since it was assigned, so this can be its earlier end.
                Err(KafkaError::PartitionEOF(partition)) if assignment.ends.get(&partition) < ends.get(&partition) => {
                    *assignment = self.assign(assignment.next.clone(), ends)?;
                }
                Err(KafkaError::PartitionEOF(partition)) => advance_to_end(&mut assignment.next, partition, ends),
                Err(error) if failure::is_recoverable(&error) => {
                    tracing::debug!(%error, "read failed; the consumer recovers");
                }
                Err(error) => return Err(self.bus_error(&error)),
            }
        }
    }

    /// Returns `first` and the records that the consumer has already fetched.
    fn add_buffered(&self, assignment: &mut Assignment, first: Delivery, max: usize) -> Vec<Delivery> {
        let mut bytes = first.value.len();
        assignment.next.insert(first.partition, first.offset.saturating_add(1));
        let mut deliveries = vec![first];
        while deliveries.len() < max && bytes < MAX_BYTES {
            match self.consumer.recv().now_or_never() {
                Some(Ok(message)) => {
                    let delivery = to_delivery(self.topic, &message);
                    bytes += delivery.value.len();
                    assignment.next.insert(delivery.partition, delivery.offset.saturating_add(1));
                    deliveries.push(delivery);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    advance_to_end(&mut assignment.next, partition, &assignment.ends);
                }
                _ => break,
            }
        }
        self.brokers.responded();
        deliveries
    }

    fn assign(&self, next: PartitionOffsets, ends: &PartitionOffsets) -> Result<Assignment, BusError> {
        let mut partitions = TopicPartitionList::with_capacity(ends.len());
        for partition in ends.keys() {
            let offset = next.get(partition).map_or(Offset::Beginning, |next| Offset::Offset(*next));
            partitions
                .add_partition_offset(&self.topic_name, *partition, offset)
                .map_err(|error| self.bus_error(&error))?;
        }
        self.consumer.assign(&partitions).map_err(|error| self.bus_error(&error))?;
        Ok(Assignment { next, ends: ends.clone() })
    }

    fn bus_error(&self, error: &KafkaError) -> BusError {
        failure::bus_error("read", error, &self.brokers)
    }
}

fn advance_to_end(next: &mut PartitionOffsets, partition: i32, ends: &PartitionOffsets) {
    if let Some(end) = ends.get(&partition) {
        let next = next.entry(partition).or_insert(0);
        *next = (*next).max(*end);
    }
}
