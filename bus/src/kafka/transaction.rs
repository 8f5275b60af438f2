//! Transactions: records and positions that take effect together.
//!
//! The broker matches the end of a transaction by producer id and epoch, and librdkafka keeps both
//! from one transaction to the next: it does not support KIP-890. So an `EndTxn` request that is
//! delayed can end the next transaction of the same producer. A producer is therefore used only
//! while its transactions succeed and its connections last. Otherwise it is discarded, and its
//! successor initializes the same transactional id: the broker then finishes or aborts the open
//! transaction, and rejects what the former producer sent.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryFuture, Producer},
};
use tokio::runtime::Handle;

use super::{
    client::{self, REQUEST_TIMEOUT, STEP_TIMEOUT, StatusContext, TRANSACTION_TIMEOUT},
    connection::Connection,
    failure,
    publish::{RecordProducer, RoutedRecord},
};
use crate::{BusError, Positions};

/// Time for `send_offsets_to_transaction`, which can block for longer than its own timeout.
const SEND_OFFSETS_TIMEOUT: Duration = Duration::from_secs(12);
/// Time for the other records of a rejected batch to be reported.
const BATCH_REPORT_TIME: Duration = Duration::from_millis(100);
/// Delay between two attempts to determine the outcome of a transaction.
const SETTLE_DELAY: Duration = Duration::from_millis(500);

/// Runs one transaction at a time, with one transactional id.
pub struct Transactions {
    connection: Arc<Connection>,
    transactional_id: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Created on first use, because most programs need no transactions.
    producer: Option<TransactionalProducer>,
    /// The number of transactions.
    count: u64,
}

/// A producer that has initialized the transactional id.
struct TransactionalProducer {
    producer: RecordProducer,
    connection_failures: Arc<AtomicU64>,
}

/// Why a transaction did not succeed.
enum Failure {
    /// It was not committed, and will not be.
    NotCommitted(BusError),
    /// Whether it is or will be committed is unknown.
    Ambiguous(BusError),
}

impl Transactions {
    /// No transaction yet, with a new transactional id.
    pub fn new(connection: Arc<Connection>) -> Transactions {
        let transactional_id = format!("local-detective-{}", uuid::Uuid::new_v4());
        Transactions { connection, transactional_id, state: Mutex::default() }
    }

    /// Publishes all records and positions in one transaction. Blocks.
    pub fn publish(&self, records: &[RoutedRecord], positions: Option<&Positions>) -> Result<(), BusError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out of the state meanwhile, and put back after a success only.
        let producer = match state.producer.take() {
            Some(producer) => producer,
            None => self.create_producer()?,
        };
        state.count += 1;
        let tag = format!("{}/{}", self.transactional_id, state.count);
        let failures_before = producer.connection_failures();
        match self.run(&producer.producer, records, positions, &tag) {
            Ok(()) if producer.connection_failures() == failures_before => {
                state.producer = Some(producer);
                Ok(())
            }
            // After a lost connection, the library repeats requests that may still be under way.
            Ok(()) => {
                discard(producer);
                Ok(())
            }
            Err(Failure::NotCommitted(error)) => {
                abort(&producer.producer);
                discard(producer);
                Err(error)
            }
            Err(Failure::Ambiguous(error)) => {
                tracing::debug!(%error, "outcome of a transaction unknown; fencing its producer");
                discard(producer);
                let (successor, is_committed) = self.settle(positions, &tag)?;
                state.producer = Some(successor);
                if is_committed { Ok(()) } else { Err(error) }
            }
        }
    }

    fn create_producer(&self) -> Result<TransactionalProducer, BusError> {
        let Connection { base_config, config, brokers, .. } = &*self.connection;
        let context = StatusContext::new(brokers);
        let connection_failures = Arc::clone(&context.connection_failures);
        let config = client::transactional_config(base_config, config, &self.transactional_id);
        let producer: RecordProducer =
            config.create_with_context(context).map_err(|error| client::invalid_client(&error))?;
        let initialized = retry_step(|| producer.init_transactions(STEP_TIMEOUT), 4);
        initialized.map_err(|error| failure::bus_error("initialize transactions", &error, brokers))?;
        Ok(TransactionalProducer { producer, connection_failures })
    }

    fn run(
        &self,
        producer: &RecordProducer,
        records: &[RoutedRecord],
        positions: Option<&Positions>,
        tag: &str,
    ) -> Result<(), Failure> {
        producer.begin_transaction().map_err(|error| Failure::NotCommitted(self.bus_error(&error)))?;
        self.send_all(producer, records, positions, tag).map_err(Failure::NotCommitted)?;
        match producer.commit_transaction(TRANSACTION_TIMEOUT) {
            Ok(()) => {
                self.connection.brokers.responded();
                Ok(())
            }
            // The commit begins after the flush.
            Err(error @ KafkaError::Flush(_)) => Err(Failure::NotCommitted(self.bus_error(&error))),
            Err(error) => Err(Failure::Ambiguous(match positions {
                Some(positions) if failure::is_superseded(error.rdkafka_error_code()) => superseded(positions),
                _ => self.bus_error(&error),
            })),
        }
    }

    /// Sends records and positions, and waits until the brokers have them.
    fn send_all(
        &self,
        producer: &RecordProducer,
        records: &[RoutedRecord],
        positions: Option<&Positions>,
        tag: &str,
    ) -> Result<(), BusError> {
        let mut sent: Vec<(DeliveryFuture, &RoutedRecord)> = Vec::with_capacity(records.len());
        for routed in records {
            let delivery = producer.send_result(routed.message());
            sent.push((delivery.map_err(|(error, _)| routed.delivery_error(&error, &self.connection))?, routed));
        }
        if let Some(positions) = positions {
            self.send_positions(producer, positions, tag)?;
        }
        // Await the deliveries first: a commit polls outstanding records only every 100 ms.
        self.wait_for_deliveries(sent)
    }

    fn wait_for_deliveries(&self, sent: Vec<(DeliveryFuture, &RoutedRecord)>) -> Result<(), BusError> {
        let runtime = Handle::current();
        let mut failed: Vec<(KafkaError, &RoutedRecord)> = Vec::new();
        for (delivery, routed) in sent {
            let delivered = match failed.is_empty() {
                true => Some(runtime.block_on(delivery)),
                false => delivery.now_or_never(),
            };
            if let Some(Ok(Err((error, _)))) = delivered {
                if failed.is_empty() {
                    thread::park_timeout(BATCH_REPORT_TIME);
                }
                failed.push((error, routed));
            }
        }
        // The broker rejects the whole batch of a record that is too large: take the largest.
        let is_too_large =
            |error: &KafkaError| matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
        let worst = failed.iter().max_by_key(|(error, routed)| (is_too_large(error), routed.size()));
        worst.map_or(Ok(()), |(error, routed)| Err(routed.delivery_error(error, &self.connection)))
    }

    /// Sends the positions, with `tag` as their metadata.
    fn send_positions(&self, producer: &RecordProducer, positions: &Positions, tag: &str) -> Result<(), BusError> {
        let offsets = self.offsets(positions)?;
        for mut element in offsets.elements() {
            element.set_metadata(tag);
        }
        let membership = self.membership(&positions.group)?;
        let (sender, sent) = mpsc::sync_channel(1);
        let producer = producer.clone();
        let send = move || {
            let send = || producer.send_offsets_to_transaction(&offsets, &membership, STEP_TIMEOUT);
            // Fails if the caller has given up.
            let _ = sender.send(retry_step(send, 2));
        };
        let thread = thread::Builder::new().name("send-offsets".to_owned()).spawn(send);
        thread.map_err(|source| BusError::Thread { source })?;
        match sent.recv_timeout(SEND_OFFSETS_TIMEOUT) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if failure::is_superseded(error.rdkafka_error_code()) => Err(superseded(positions)),
            Ok(Err(error)) => Err(failure::bus_error("publish positions", &error, &self.connection.brokers)),
            Err(_) => Err(BusError::Kafka {
                operation: "publish positions",
                reason: format!("no result within {SEND_OFFSETS_TIMEOUT:?}"),
                is_transient: true,
            }),
        }
    }

    fn offsets(&self, positions: &Positions) -> Result<TopicPartitionList, BusError> {
        let mut offsets = TopicPartitionList::with_capacity(positions.next.len());
        for (topic, partition, next) in &positions.next {
            offsets
                .add_partition_offset(&self.connection.topic_name(*topic), *partition, Offset::Offset(*next))
                .map_err(|error| self.bus_error(&error))?;
        }
        Ok(offsets)
    }

    /// The membership in the group when this process last read: Kafka rejects positions of
    /// partitions that were reassigned since. If this process has not read as the group, the
    /// metadata of a client that is not a member.
    fn membership(&self, group: &str) -> Result<Arc<ConsumerGroupMetadata>, BusError> {
        if let Some(membership) = self.connection.membership(group) {
            return Ok(membership);
        }
        let membership = self.non_member(group)?.group_metadata().map(Arc::new);
        membership.ok_or_else(|| BusError::InvalidClient { reason: format!("no metadata of the group `{group}`") })
    }

    fn non_member(&self, group: &str) -> Result<BaseConsumer, BusError> {
        let config = client::member_config(&self.connection.base_config, &self.connection.config.kafka, group);
        config.create().map_err(|error| client::invalid_client(&error))
    }

    /// Ends an ambiguous transaction. Returns a new producer, and whether the transaction was
    /// committed.
    ///
    /// Waits while the brokers are unavailable: if the caller repeated the publication before the
    /// outcome is known, the records could be published twice. Without positions the outcome cannot
    /// be determined, and the records may be repeated.
    fn settle(&self, positions: Option<&Positions>, tag: &str) -> Result<(TransactionalProducer, bool), BusError> {
        let producer = retry_while_transient(|| self.create_producer())?;
        let is_committed = match positions {
            Some(positions) => retry_while_transient(|| self.has_committed(positions, tag))?,
            None => false,
        };
        Ok((producer, is_committed))
    }

    /// Whether the group's positions are those of the transaction with this tag. If another member
    /// has published later ones, the next attempt to publish fails with [`BusError::Superseded`].
    fn has_committed(&self, positions: &Positions, tag: &str) -> Result<bool, BusError> {
        let consumer = self.non_member(&positions.group)?;
        let committed = consumer.committed_offsets(self.offsets(positions)?, REQUEST_TIMEOUT);
        let committed = committed.map_err(|error| self.bus_error(&error))?;
        Ok(committed.elements().iter().any(|element| element.metadata() == tag))
    }

    fn bus_error(&self, error: &KafkaError) -> BusError {
        failure::bus_error("publish in a transaction", error, &self.connection.brokers)
    }
}

impl TransactionalProducer {
    fn connection_failures(&self) -> u64 {
        self.connection_failures.load(Relaxed)
    }
}

/// Drops a producer in a thread of its own, because that can block.
fn discard(producer: TransactionalProducer) {
    // If no thread can be started, the closure is dropped here, and the producer with it.
    let _ = thread::Builder::new().name("drop-producer".to_owned()).spawn(move || drop(producer));
}

/// Aborts the open transaction, so that readers do not wait for its timeout.
fn abort(producer: &RecordProducer) {
    if let Err(error) = producer.abort_transaction(TRANSACTION_TIMEOUT) {
        tracing::debug!(%error, "cannot abort a transaction");
    }
}

/// Repeats a step of a transaction while its error is retriable, at most `max_attempts` times.
fn retry_step(mut step: impl FnMut() -> Result<(), KafkaError>, max_attempts: u32) -> Result<(), KafkaError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && attempts < max_attempts => {}
            outcome => return outcome,
        }
    }
}

fn retry_while_transient<T>(mut attempt: impl FnMut() -> Result<T, BusError>) -> Result<T, BusError> {
    loop {
        match attempt() {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "cannot determine the outcome of a transaction yet");
                thread::park_timeout(SETTLE_DELAY);
            }
            outcome => return outcome,
        }
    }
}

fn superseded(positions: &Positions) -> BusError {
    BusError::Superseded { group: positions.group.clone() }
}
