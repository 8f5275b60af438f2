//! Records and positions in.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer},
};
use schemas::topic::Retention;
use tokio::runtime::Handle;

use super::{Shared, client, client::Context, failure};
use crate::{BusError, Positions, Record};

/// How long each step of a transaction may take before it is tried again.
const STEP: Duration = Duration::from_secs(5);

/// Delivers records one by one and in transactions.
pub type Deliverer = FutureProducer<Context>;

/// A record with the partition that it goes to.
pub struct Placed {
    record: Record,
    topic: String,
    partition: i32,
}

impl Shared {
    /// The records with their partitions, if each is within the limits. No I/O.
    pub fn place(&self, records: Vec<Record>) -> Result<Vec<Placed>, BusError> {
        let place = |record: Record| {
            let partition = record.check(self.config.max_record_bytes, self.partitions(record.topic))?;
            Ok(Placed { topic: self.config.kafka.name(record.topic), record, partition })
        };
        records.into_iter().map(place).collect()
    }

    /// A single record needs no transaction to be whole.
    pub async fn deliver(&self, placed: &Placed) -> Result<(), BusError> {
        match self.single.send(placed.message(), STEP).await {
            Ok(_) => {
                self.brokers.answered();
                Ok(())
            }
            Err((error, _)) => Err(self.not_delivered(placed, &error)),
        }
    }

    fn not_delivered(&self, placed: &Placed, error: &KafkaError) -> BusError {
        let Placed { record, .. } = placed;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                BusError::RefusedBySize { topic: record.topic, key: record.key.clone(), found: record.size() }
            }
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => BusError::TopicsMissing { brokers: self.brokers.addresses.clone(), topics: vec![record.topic] },
            _ => failure::failed("publish", error, &self.brokers),
        }
    }

    /// All of it in one transaction. Blocks.
    pub fn transact(&self, records: &[Placed], positions: Option<&Positions>) -> Result<(), BusError> {
        let mut slot = self.transactions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Out of its place while it works: one that breaks down is not used again.
        let producer = match slot.take() {
            Some(producer) => producer,
            None => self.begin_to_transact()?,
        };
        let outcome = self.transaction(&producer, records, positions);
        if outcome.is_ok() || self.abort(&producer).is_ok() {
            *slot = Some(producer);
        }
        outcome
    }

    fn begin_to_transact(&self) -> Result<Deliverer, BusError> {
        let config = client::transactional(&self.client, &self.config);
        let producer = self.create::<Deliverer>(&config)?;
        let begun = until_settled(|| producer.init_transactions(STEP), Some(4));
        begun.map_err(|error| failure::failed("begin transactions", &error, &self.brokers))?;
        Ok(producer)
    }

    fn transaction(
        &self,
        producer: &Deliverer,
        records: &[Placed],
        positions: Option<&Positions>,
    ) -> Result<(), BusError> {
        let failed = |error: &KafkaError| failure::failed("publish in a transaction", error, &self.brokers);
        producer.begin_transaction().map_err(|error| failed(&error))?;
        let mut sent: Vec<(DeliveryFuture, &Placed)> = Vec::with_capacity(records.len());
        for placed in records {
            let delivery = producer.send_result(placed.message());
            sent.push((delivery.map_err(|(error, _)| self.not_delivered(placed, &error))?, placed));
        }
        if let Some(positions) = positions {
            self.send_positions(producer, positions)?;
        }
        // A commit with records on their way would look for them ten times a second only.
        let runtime = Handle::current();
        for (delivery, placed) in sent {
            if let Ok(Err((error, _))) = runtime.block_on(delivery) {
                return Err(self.not_delivered(placed, &error));
            }
        }
        // What became of a commit that timed out is only known once it is asked for again.
        let committed = until_settled(|| producer.commit_transaction(STEP), None);
        committed.map_err(|error| match positions {
            Some(positions) if failure::is_superseded(error.rdkafka_error_code()) => superseded(positions),
            _ => failed(&error),
        })?;
        self.brokers.answered();
        Ok(())
    }

    fn send_positions(&self, producer: &Deliverer, positions: &Positions) -> Result<(), BusError> {
        let mut offsets = TopicPartitionList::with_capacity(positions.next.len());
        for (topic, partition, next) in &positions.next {
            offsets
                .add_partition_offset(&self.config.kafka.name(*topic), *partition, Offset::Offset(*next))
                .map_err(|error| failure::failed("publish positions", &error, &self.brokers))?;
        }
        let member = self.member_of(&positions.group)?;
        let sent = until_settled(|| producer.send_offsets_to_transaction(&offsets, &member, STEP), Some(4));
        sent.map_err(|error| match failure::is_superseded(error.rdkafka_error_code()) {
            true => superseded(positions),
            false => failure::failed("publish positions", &error, &self.brokers),
        })
    }

    /// Who this process is in the group: as it was when it last read, so that positions of partitions that have gone
    /// to another member since are refused.
    fn member_of(&self, group: &str) -> Result<Arc<ConsumerGroupMetadata>, BusError> {
        let members = self.members.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(member) = members.get(group) {
            return Ok(Arc::clone(member));
        }
        drop(members);
        let config = client::member(&self.client, &self.config.kafka, group);
        let outsider: BaseConsumer = config.create().map_err(|error| refused(&error))?;
        outsider.group_metadata().map(Arc::new).ok_or_else(|| BusError::Refused { why: format!("no group `{group}`") })
    }

    fn abort(&self, producer: &Deliverer) -> Result<(), KafkaError> {
        let aborted = until_settled(|| producer.abort_transaction(STEP), Some(2));
        if let Err(error) = &aborted {
            tracing::debug!(%error, "a transaction could not be aborted: its producer is given up");
        }
        aborted
    }

    /// A client with our context.
    pub fn create<C: rdkafka::config::FromClientConfigAndContext<Context>>(
        &self,
        config: &ClientConfig,
    ) -> Result<C, BusError> {
        config.create_with_context(Context { brokers: Arc::clone(&self.brokers) }).map_err(|error| refused(&error))
    }
}

impl Placed {
    fn message(&self) -> FutureRecord<'_, str, [u8]> {
        let Placed { record, topic, partition } = self;
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
            // What says that a key is gone has no value at all on Kafka, or it would be kept.
            Retention::Compact if record.value.is_empty() => message,
            _ => message.payload(&record.value),
        }
    }
}

/// Tries a step until it is done or has failed for good; `times` at most, or for as long as it takes.
fn until_settled(mut step: impl FnMut() -> Result<(), KafkaError>, times: Option<u32>) -> Result<(), KafkaError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && times.is_none_or(|times| tried < times) => {}
            settled => return settled,
        }
    }
}

fn superseded(positions: &Positions) -> BusError {
    BusError::Superseded { group: positions.group.clone() }
}

/// The library does not take the settings.
pub fn refused(error: &KafkaError) -> BusError {
    BusError::Refused { why: error.to_string() }
}
