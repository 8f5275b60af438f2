//! Writes records and positions.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer},
};
use schemas::topic::Retention;
use tokio::runtime::Handle;

use super::{
    client::{self, StatusContext},
    connection::Connection,
    failure,
};
use crate::{BusError, Positions, Record};

/// Timeout of one attempt of a step of a transaction, and of queueing a single record.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// A producer of single records or of transactions.
pub type RecordProducer = FutureProducer<StatusContext>;

/// A record with the name of its topic and its partition.
pub struct RoutedRecord {
    record: Record,
    topic: String,
    partition: i32,
}

/// Publishes single records and transactions.
pub struct Publisher {
    connection: Arc<Connection>,
    producer: RecordProducer,
    /// Created on first use, because most programs need no transactions.
    transactional_producer: Mutex<Option<RecordProducer>>,
}

impl Publisher {
    /// A publisher with a producer of single records.
    pub fn new(connection: Arc<Connection>, producer: RecordProducer) -> Publisher {
        Publisher { connection, producer, transactional_producer: Mutex::default() }
    }

    /// Checks the records against the limits and chooses their partitions. Does no I/O.
    pub fn route(&self, records: Vec<Record>) -> Result<Vec<RoutedRecord>, BusError> {
        let route = |record: Record| {
            let partition =
                record.check(self.connection.config.max_record_bytes, self.connection.partitions(record.topic))?;
            Ok(RoutedRecord { topic: self.connection.topic_name(record.topic), record, partition })
        };
        records.into_iter().map(route).collect()
    }

    /// Publishes one record, which needs no transaction to be atomic.
    pub async fn publish_single(&self, routed: &RoutedRecord) -> Result<(), BusError> {
        match self.producer.send(routed.message(), STEP_TIMEOUT).await {
            Ok(_) => {
                self.connection.brokers.responded();
                Ok(())
            }
            Err((error, _)) => Err(self.delivery_error(routed, &error)),
        }
    }

    fn delivery_error(&self, routed: &RoutedRecord, error: &KafkaError) -> BusError {
        let record = &routed.record;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                BusError::RejectedBySize { topic: record.topic, key: record.key.clone(), found: record.size() }
            }
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => BusError::TopicsMissing {
                brokers: self.connection.brokers.addresses.clone(),
                topics: vec![record.topic],
            },
            _ => failure::bus_error("publish", error, &self.connection.brokers),
        }
    }

    /// Publishes all records and positions in one transaction. Blocks.
    pub fn publish_in_transaction(
        &self,
        records: &[RoutedRecord],
        positions: Option<&Positions>,
    ) -> Result<(), BusError> {
        let mut slot = self.transactional_producer.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out of its slot meanwhile: a producer whose transaction cannot be aborted is
        // dropped.
        let producer = match slot.take() {
            Some(producer) => producer,
            None => self.create_transactional_producer()?,
        };
        let outcome = self.run_transaction(&producer, records, positions);
        if outcome.is_ok() || abort(&producer).is_ok() {
            *slot = Some(producer);
        }
        outcome
    }

    fn create_transactional_producer(&self) -> Result<RecordProducer, BusError> {
        let config = client::transactional_config(&self.connection.base_config, &self.connection.config);
        let producer: RecordProducer = self.connection.create_client(&config)?;
        let initialized = retry_step(|| producer.init_transactions(STEP_TIMEOUT), Some(4));
        initialized.map_err(|error| failure::bus_error("initialize transactions", &error, &self.connection.brokers))?;
        Ok(producer)
    }

    fn run_transaction(
        &self,
        producer: &RecordProducer,
        records: &[RoutedRecord],
        positions: Option<&Positions>,
    ) -> Result<(), BusError> {
        let bus_error =
            |error: &KafkaError| failure::bus_error("publish in a transaction", error, &self.connection.brokers);
        producer.begin_transaction().map_err(|error| bus_error(&error))?;
        let mut sent: Vec<(DeliveryFuture, &RoutedRecord)> = Vec::with_capacity(records.len());
        for routed in records {
            let delivery = producer.send_result(routed.message());
            sent.push((delivery.map_err(|(error, _)| self.delivery_error(routed, &error))?, routed));
        }
        if let Some(positions) = positions {
            self.send_positions(producer, positions)?;
        }
        // Await the deliveries first: a commit polls outstanding records only every 100 ms.
        let runtime = Handle::current();
        for (delivery, routed) in sent {
            if let Ok(Err((error, _))) = runtime.block_on(delivery) {
                return Err(self.delivery_error(routed, &error));
            }
        }
        // After a timeout, only another commit shows whether the transaction was committed.
        let committed = retry_step(|| producer.commit_transaction(STEP_TIMEOUT), None);
        committed.map_err(|error| match positions {
            Some(positions) if failure::is_superseded(error.rdkafka_error_code()) => superseded(positions),
            _ => bus_error(&error),
        })?;
        self.connection.brokers.responded();
        Ok(())
    }

    fn send_positions(&self, producer: &RecordProducer, positions: &Positions) -> Result<(), BusError> {
        let bus_error = |error: &KafkaError| failure::bus_error("publish positions", error, &self.connection.brokers);
        let mut offsets = TopicPartitionList::with_capacity(positions.next.len());
        for (topic, partition, next) in &positions.next {
            offsets
                .add_partition_offset(&self.connection.topic_name(*topic), *partition, Offset::Offset(*next))
                .map_err(|error| bus_error(&error))?;
        }
        let membership = self.membership(&positions.group)?;
        let sent = retry_step(|| producer.send_offsets_to_transaction(&offsets, &membership, STEP_TIMEOUT), Some(4));
        sent.map_err(|error| match failure::is_superseded(error.rdkafka_error_code()) {
            true => superseded(positions),
            false => bus_error(&error),
        })
    }

    /// The membership in the group when this process last read: Kafka rejects positions of
    /// partitions that were reassigned since. Without a membership, that of an outsider.
    fn membership(&self, group: &str) -> Result<Arc<ConsumerGroupMetadata>, BusError> {
        if let Some(membership) = self.connection.membership(group) {
            return Ok(membership);
        }
        let config = client::member_config(&self.connection.base_config, &self.connection.config.kafka, group);
        let non_member: BaseConsumer = config.create().map_err(|error| client::invalid_client(&error))?;
        let membership = non_member.group_metadata().map(Arc::new);
        membership.ok_or_else(|| BusError::InvalidClient { reason: format!("no metadata of the group `{group}`") })
    }
}

impl RoutedRecord {
    fn message(&self) -> FutureRecord<'_, str, [u8]> {
        let RoutedRecord { record, topic, partition } = self;
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
}

fn abort(producer: &RecordProducer) -> Result<(), KafkaError> {
    let aborted = retry_step(|| producer.abort_transaction(STEP_TIMEOUT), Some(2));
    if let Err(error) = &aborted {
        tracing::debug!(%error, "cannot abort a transaction; dropping its producer");
    }
    aborted
}

/// Repeats a step of a transaction while its error is retriable, at most `max_attempts` times.
fn retry_step(mut step: impl FnMut() -> Result<(), KafkaError>, max_attempts: Option<u32>) -> Result<(), KafkaError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match step() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && max_attempts.is_none_or(|max| attempts < max) => {}
            outcome => return outcome,
        }
    }
}

fn superseded(positions: &Positions) -> BusError {
    BusError::Superseded { group: positions.group.clone() }
}
