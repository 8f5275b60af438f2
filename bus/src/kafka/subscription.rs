//! Reads as a member of a group.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use schemas::{Timestamp, Topic};

use super::{
    client::{self, StatusContext},
    connection::Connection,
    failure,
};
use crate::{BusError, Delivery, Subscription, losses::Losses};

/// The most that one batch contains, unless a single record is larger.
pub const MAX_BYTES: usize = 4 << 20;
/// Timeout of the requests by which lost records are counted.
const POSITIONS_TIMEOUT: Duration = Duration::from_secs(2);

/// A member of a group.
pub struct KafkaSubscription {
    connection: Arc<Connection>,
    group: String,
    topics: Vec<Topic>,
    /// `None` only while the subscription is dropped.
    consumer: Option<Arc<StreamConsumer<MemberContext>>>,
    losses: Arc<Mutex<Losses>>,
}

/// Counts the rebalances of the group, and notes where reading begins.
pub struct MemberContext {
    status: StatusContext,
    rebalances: AtomicU64,
    /// The next offset of each assigned partition, as far as it is known.
    next: Mutex<HashMap<(String, i32), i64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemberContext {
    fn next(&self) -> MutexGuard<'_, HashMap<(String, i32), i64>> {
        lock(&self.next)
    }

    /// Notes the positions of the group. If they cannot be read, losses before the first record of
    /// a partition are not counted.
    fn note_positions(&self, consumer: &BaseConsumer<Self>, assigned: &TopicPartitionList) {
        let committed = consumer.committed_offsets(assigned.clone(), POSITIONS_TIMEOUT);
        let mut next = self.next();
        next.clear();
        for element in committed.iter().flat_map(|committed| committed.elements()) {
            if let Offset::Offset(offset) = element.offset() {
                next.insert((element.topic().to_owned(), element.partition()), offset);
            }
        }
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.status.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // The eager protocol revokes all partitions before it assigns them, so both count.
        self.rebalances.fetch_add(1, Relaxed);
        match rebalance {
            Rebalance::Assign(assigned) => {
                tracing::info!(partitions = assigned.count(), "partitions assigned");
                self.note_positions(consumer, assigned);
            }
            Rebalance::Revoke(revoked) => tracing::debug!(partitions = revoked.count(), "partitions revoked"),
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }
}

impl KafkaSubscription {
    /// Joins the group.
    pub fn join(connection: Arc<Connection>, group: &str, topics: &[Topic]) -> Result<KafkaSubscription, BusError> {
        let status = StatusContext::new(&connection.brokers);
        let context = MemberContext { status, rebalances: AtomicU64::new(0), next: Mutex::default() };
        let config = client::member_config(&connection.base_config, &connection.config.kafka, group);
        let consumer: StreamConsumer<MemberContext> =
            config.create_with_context(context).map_err(|error| client::invalid_client(&error))?;
        let names: Vec<String> = topics.iter().map(|topic| connection.topic_name(*topic)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| failure::bus_error("subscribe", &error, &connection.brokers))?;
        Ok(KafkaSubscription {
            connection,
            group: group.to_owned(),
            topics: topics.to_vec(),
            consumer: Some(Arc::new(consumer)),
            losses: Arc::default(),
        })
    }

    async fn wait_for_record(&self, consumer: &StreamConsumer<MemberContext>) -> Result<Delivery, BusError> {
        loop {
            match consumer.recv().await {
                Ok(message) => return self.to_delivery(&message),
                Err(error) if failure::is_recoverable(&error) => {
                    tracing::debug!(%error, "read failed; the consumer recovers");
                }
                Err(error) => return Err(self.bus_error(&error)),
            }
        }
    }

    /// Returns `first` and the records that the consumer has already fetched, without those from
    /// before a rebalance: this or another member receives them again.
    fn add_buffered(
        &self,
        consumer: &StreamConsumer<MemberContext>,
        first: Delivery,
        max: usize,
    ) -> Result<Vec<Delivery>, BusError> {
        let mut rebalances = self.rebalance_count();
        let mut bytes = first.value.len();
        let mut deliveries = vec![first];
        while deliveries.len() < max && bytes < MAX_BYTES {
            let more = consumer.recv().now_or_never();
            if self.rebalance_count() != rebalances {
                rebalances = self.rebalance_count();
                deliveries.clear();
            }
            let Some(Ok(message)) = more else { break };
            let delivery = self.to_delivery(&message)?;
            bytes += delivery.value.len();
            deliveries.push(delivery);
        }
        Ok(deliveries)
    }

    /// Counts the records that retention deleted between the last records and these. Requests the
    /// oldest offset if several are missing: the ends of transactions take single ones.
    fn count_losses(&self, consumer: &Arc<StreamConsumer<MemberContext>>, deliveries: &[Delivery]) {
        for Delivery { topic, partition, offset, .. } in deliveries {
            let (topic, partition, offset) = (*topic, *partition, *offset);
            let name = self.connection.topic_name(topic);
            let expected = consumer.context().next().insert((name.clone(), partition), offset.saturating_add(1));
            let Some(expected) = expected.filter(|expected| offset.saturating_sub(*expected) > 1) else { continue };
            let consumer = Arc::clone(consumer);
            let losses = Arc::clone(&self.losses);
            // The request blocks.
            tokio::task::spawn_blocking(move || {
                if let Ok((oldest, _)) = consumer.fetch_watermarks(&name, partition, POSITIONS_TIMEOUT) {
                    lock(&losses).add_gap(topic, expected, oldest.min(offset));
                }
            });
        }
    }

    fn to_delivery(&self, message: &BorrowedMessage<'_>) -> Result<Delivery, BusError> {
        let name = message.topic();
        let topic = self.connection.config.kafka.topic_with_name(name);
        let topic = topic.ok_or_else(|| BusError::InvalidClient {
            reason: format!("received a record of the topic `{name}`, which is not subscribed"),
        })?;
        Ok(to_delivery(topic, message))
    }

    fn bus_error(&self, error: &KafkaError) -> BusError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let brokers = self.connection.brokers.addresses.clone();
                BusError::TopicsMissing { brokers, topics: self.topics.clone() }
            }
            _ => failure::bus_error("read", error, &self.connection.brokers),
        }
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let Some(consumer) = self.consumer.clone() else { return Err(BusError::Stopped) };
        loop {
            let first = self.wait_for_record(&consumer).await?;
            // No await from here on, so a call that is dropped loses no record.
            let deliveries = self.add_buffered(&consumer, first, max)?;
            if !deliveries.is_empty() {
                self.count_losses(&consumer, &deliveries);
                self.connection.brokers.responded();
                if let Some(membership) = consumer.group_metadata() {
                    self.connection.store_membership(&self.group, membership);
                }
                return Ok(deliveries);
            }
        }
    }

    fn lost_count(&self) -> u64 {
        lock(&self.losses).count()
    }

    fn rebalance_count(&self) -> u64 {
        self.consumer.as_ref().map_or(0, |consumer| consumer.context().rebalances.load(Relaxed))
    }
}

impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        self.connection.leave_group(&self.group, self.consumer.take());
    }
}

/// Converts a message of the library.
pub fn to_delivery(topic: Topic, message: &BorrowedMessage<'_>) -> Delivery {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        headers.iter().map(owned).collect()
    });
    Delivery {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        headers,
        value: message.payload().unwrap_or_default().to_vec(),
        time: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
    }
}
