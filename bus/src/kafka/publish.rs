//! Writes records and positions.

use std::sync::Arc;

use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
};
use schemas::topic::Retention;

use super::{
    client::{STEP_TIMEOUT, StatusContext},
    connection::Connection,
    failure,
    topic_layout::{check_partitions, fetch_layouts},
    transaction::Transactions,
};
use crate::{BusError, Positions, Record};

/// A producer of single records or of transactions.
pub type RecordProducer = FutureProducer<StatusContext>;

/// A record with the name of its topic and its partition.
pub struct RoutedRecord {
    /// The index of the record in its publication.
    index: usize,
    record: Record,
    topic: String,
    partition: i32,
}

/// Publishes single records and transactions.
pub struct Publisher {
    connection: Arc<Connection>,
    producer: RecordProducer,
    transactions: Transactions,
}

impl Publisher {
    /// A publisher with a producer of single records.
    pub fn new(connection: Arc<Connection>, producer: RecordProducer) -> Publisher {
        let transactions = Transactions::new(Arc::clone(&connection));
        Publisher { connection, producer, transactions }
    }

    /// Whether a record names a partition that its topic did not have when the partitions were last
    /// counted.
    pub fn has_unknown_partition(&self, records: &[Record]) -> bool {
        let is_unknown = |record: &Record| {
            record.partition.is_some_and(|partition| partition >= i32::from(self.connection.partitions(record.topic)))
        };
        records.iter().any(is_unknown)
    }

    /// Counts the partitions of all topics again. Blocks.
    ///
    /// # Errors
    /// A transient one while the topics have different numbers of partitions.
    pub fn refresh_partitions(&self) -> Result<(), BusError> {
        let brokers = &self.connection.brokers;
        let layouts = fetch_layouts(&self.connection.config.kafka, self.producer.client(), brokers)?;
        self.connection.set_partitions(check_partitions(brokers, &layouts)?);
        Ok(())
    }

    /// Checks the records against the limits and chooses their partitions. Does no I/O.
    pub fn route(&self, records: Vec<Record>) -> Result<Vec<RoutedRecord>, BusError> {
        let route = |(index, record): (usize, Record)| {
            let partitions = self.connection.partitions(record.topic);
            let partition = record.check(index, self.connection.config.max_record_bytes, partitions)?;
            Ok(RoutedRecord { index, topic: self.connection.topic_name(record.topic), record, partition })
        };
        records.into_iter().enumerate().map(route).collect()
    }

    /// Publishes one record, which needs no transaction to be atomic.
    pub async fn publish_single(&self, routed: &RoutedRecord) -> Result<(), BusError> {
        match self.producer.send(routed.message(), STEP_TIMEOUT).await {
            Ok(_) => {
                self.connection.brokers.responded();
                Ok(())
            }
            // The producer cannot be used any more.
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) => {
                Err(BusError::Kafka { operation: "publish", reason: error.to_string(), is_transient: false })
            }
            Err((error, _)) => Err(routed.delivery_error(&error, &self.connection)),
        }
    }

    /// Publishes all records and positions in one transaction. Blocks.
    pub fn publish_in_transaction(
        &self,
        records: &[RoutedRecord],
        positions: Option<&Positions>,
    ) -> Result<(), BusError> {
        self.transactions.publish(records, positions)
    }
}

impl RoutedRecord {
    /// The size of key, headers and value in bytes.
    pub fn size(&self) -> usize {
        self.record.size()
    }

    /// The record as a message of the library.
    pub fn message(&self) -> FutureRecord<'_, str, [u8]> {
        let RoutedRecord { record, topic, partition, .. } = self;
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, value) in &record.headers {
            headers = headers.insert(Header { key: name, value: Some(value) });
        }
        let message = FutureRecord::to(topic)
            .key(record.key.as_str())
            .partition(*partition)
            .timestamp(record.time.0)
            .headers(headers);
        match record.topic.retention() {
            // A tombstone of Kafka has no value; compaction would keep an empty one.
            Retention::Compact if record.value.is_empty() => message,
            _ => message.payload(&record.value),
        }
    }

    /// Converts the error of the delivery of this record.
    pub fn delivery_error(&self, error: &KafkaError, connection: &Connection) -> BusError {
        let Record { topic, key, .. } = &self.record;
        let (index, topic, key) = (self.index, *topic, key.clone());
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                BusError::RejectedBySize { index, topic, key, found: self.size() }
            }
            Some(RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::InvalidTimestamp) => {
                BusError::RejectedByBroker { index, topic, key, reason: error.to_string() }
            }
            // The partitions were checked, so this client has not read the newest metadata yet.
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => BusError::TopicsMissing { brokers: connection.brokers.addresses.clone(), topics: vec![topic] },
            _ => failure::bus_error("publish", error, &connection.brokers),
        }
    }
}
