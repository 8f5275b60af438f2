//! Finds the ends of a topic.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    broker_status::BrokerStatus,
    client::{self, METADATA_TIMEOUT, REQUEST_TIMEOUT, StatusContext},
    connection::Connection,
    failure,
};
use crate::BusError;

/// The longest time that a transaction stays open: its own timeout of 10 s, and the time between
/// two checks of the broker for expired transactions.
const MAX_OPEN_TRANSACTION: Duration = Duration::from_secs(25);

/// An offset per partition.
pub type PartitionOffsets = BTreeMap<i32, i64>;

/// Clients that find the ends of topics and never fetch.
///
/// A broker handles the requests of a connection one after another, so behind a fetch that waits
/// for records, other requests would wait too.
#[derive(Clone)]
pub struct EndClients {
    /// Sees the records of open transactions too.
    uncommitted: Arc<BaseConsumer<StatusContext>>,
    /// Sees only records before the first open transaction.
    committed: Arc<BaseConsumer<StatusContext>>,
    brokers: Arc<BrokerStatus>,
}

impl EndClients {
    /// Creates the clients.
    pub fn new(connection: &Connection) -> Result<EndClients, BusError> {
        let committed = client::consumer_config(&connection.base_config);
        let mut uncommitted = committed.clone();
        uncommitted.set("isolation.level", "read_uncommitted");
        Ok(EndClients {
            uncommitted: Arc::new(connection.create_client(&uncommitted)?),
            committed: Arc::new(connection.create_client(&committed)?),
            brokers: Arc::clone(&connection.brokers),
        })
    }

    /// Returns the offset after the last record of each partition, once all transactions that have
    /// written until now are committed or aborted.
    ///
    /// Kafka acknowledges a commit before all partitions show it, so the committed ends alone could
    /// miss a record that was published a moment ago.
    pub async fn find_ends(&self, topic: &str) -> Result<PartitionOffsets, BusError> {
        let written = self.query(&self.uncommitted, topic).await?;
        let deadline = Instant::now() + MAX_OPEN_TRANSACTION;
        loop {
            let committed = self.query(&self.committed, topic).await?;
            // A transaction that is open for longer belongs to a dead process and will be aborted.
            if has_reached(&committed, &written) || Instant::now() > deadline {
                self.brokers.responded();
                return Ok(committed);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns the ends that `client` sees. Retries, because brokers that have just started do not
    /// know them yet.
    async fn query(
        &self,
        client: &Arc<BaseConsumer<StatusContext>>,
        topic: &str,
    ) -> Result<PartitionOffsets, BusError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let client = Arc::clone(client);
            let topic = topic.to_owned();
            let query = tokio::task::spawn_blocking(move || query_blocking(&client, &topic));
            match query.await.map_err(|_| BusError::Stopped)? {
                Ok(ends) => return Ok(ends),
                Err(error) if failure::is_recoverable(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(failure::bus_error("find the end of a topic", &error, &self.brokers)),
            }
        }
    }
}

fn query_blocking(client: &BaseConsumer<StatusContext>, topic: &str) -> Result<PartitionOffsets, KafkaError> {
    // Partitions can be added at any time.
    let metadata = client.fetch_metadata(Some(topic), METADATA_TIMEOUT)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut newest = TopicPartitionList::new();
    for partition in partitions {
        newest.add_partition_offset(topic, partition.id(), Offset::End)?;
    }
    if newest.count() == 0 {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    let mut ends = PartitionOffsets::new();
    for element in client.offsets_for_times(newest, REQUEST_TIMEOUT)?.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            ends.insert(element.partition(), offset);
        }
    }
    Ok(ends)
}

/// Whether `next` is at or after `ends` in every partition.
pub fn has_reached(next: &PartitionOffsets, ends: &PartitionOffsets) -> bool {
    ends.iter().all(|(partition, end)| next.get(partition).copied().unwrap_or(0) >= *end)
}
