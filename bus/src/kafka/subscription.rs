//! Reading as a member of a group.

use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use schemas::{Timestamp, Topic};

use super::{Shared, client, client::Context, failure, publish::refused};
use crate::{BusError, Delivery, Subscription};

/// A batch has no more than this, unless a single record is larger.
pub const MAX_BYTES: usize = 4 << 20;

/// A member of a group.
pub struct KafkaSubscription {
    bus: Arc<Shared>,
    group: String,
    topics: Vec<Topic>,
    /// There until it is dropped.
    consumer: Option<Arc<StreamConsumer<MemberContext>>>,
}

/// Counts how often the partitions were dealt out.
pub struct MemberContext {
    context: Context,
    epoch: AtomicU64,
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // The group's protocol takes all partitions back before it deals them out, so both count.
        self.epoch.fetch_add(1, Relaxed);
        match rebalance {
            Rebalance::Assign(dealt) => tracing::info!(partitions = dealt.count(), "partitions were dealt out"),
            Rebalance::Revoke(taken) => tracing::debug!(partitions = taken.count(), "partitions were taken back"),
            Rebalance::Error(error) => tracing::warn!(%error, "the partitions could not be dealt out"),
        }
    }
}

impl KafkaSubscription {
    /// Joins the group.
    pub fn join(bus: Arc<Shared>, group: &str, topics: &[Topic]) -> Result<KafkaSubscription, BusError> {
        let context =
            MemberContext { context: Context { brokers: Arc::clone(&bus.brokers) }, epoch: AtomicU64::new(0) };
        let config = client::member(&bus.client, &bus.config.kafka, group);
        let consumer: StreamConsumer<MemberContext> =
            config.create_with_context(context).map_err(|error| refused(&error))?;
        let names: Vec<String> = topics.iter().map(|topic| bus.config.kafka.name(*topic)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| failure::failed("subscribe", &error, &bus.brokers))?;
        let consumer = Some(Arc::new(consumer));
        Ok(KafkaSubscription { bus, group: group.to_owned(), topics: topics.to_vec(), consumer })
    }

    async fn first(&self, consumer: &StreamConsumer<MemberContext>) -> Result<Delivery, BusError> {
        loop {
            match consumer.recv().await {
                Ok(message) => return self.delivery(&message),
                Err(error) if passes(&error) => tracing::debug!(%error, "reading goes on"),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// What is here already. What came before the partitions were dealt out anew is left out: it comes again, here or at another member.
    fn and_more(
        &self,
        consumer: &StreamConsumer<MemberContext>,
        first: Delivery,
        max: usize,
    ) -> Result<Vec<Delivery>, BusError> {
        let mut epoch = self.epoch();
        let mut bytes = first.value.len();
        let mut deliveries = vec![first];
        while deliveries.len() < max && bytes < MAX_BYTES {
            let more = consumer.recv().now_or_never();
            if self.epoch() != epoch {
                epoch = self.epoch();
                deliveries.clear();
            }
            let Some(Ok(message)) = more else { break };
            let delivery = self.delivery(&message)?;
            bytes += delivery.value.len();
            deliveries.push(delivery);
        }
        Ok(deliveries)
    }

    /// From here on positions are published as of the state that the group is in now.
    fn note_membership(&self, consumer: &StreamConsumer<MemberContext>) {
        if let Some(member) = consumer.group_metadata() {
            let mut members = self.bus.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.insert(self.group.clone(), Arc::new(member));
        }
    }

    fn delivery(&self, message: &BorrowedMessage<'_>) -> Result<Delivery, BusError> {
        let name = message.topic();
        let topic = self.bus.config.kafka.topic(name);
        let topic = topic.ok_or_else(|| BusError::Refused { why: format!("nobody asked for the topic `{name}`") })?;
        Ok(delivery(topic, message))
    }

    fn failed(&self, error: &KafkaError) -> BusError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let brokers = self.bus.brokers.addresses.clone();
                BusError::TopicsMissing { brokers, topics: self.topics.clone() }
            }
            _ => failure::failed("read", error, &self.bus.brokers),
        }
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let Some(consumer) = &self.consumer else { return Err(BusError::Stopped) };
        loop {
            let first = self.first(consumer).await?;
            // There is no await from here to the end: whoever drops this call has lost nothing.
            let deliveries = self.and_more(consumer, first, max)?;
            if !deliveries.is_empty() {
                self.bus.brokers.answered();
                self.note_membership(consumer);
                return Ok(deliveries);
            }
        }
    }

    fn epoch(&self) -> u64 {
        self.consumer.as_ref().map_or(0, |consumer| consumer.context().epoch.load(Relaxed))
    }
}

impl Drop for KafkaSubscription {
    /// Leaving the group takes a word with the broker, which nobody should wait for here.
    fn drop(&mut self) {
        self.bus.members.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
        let consumer = self.consumer.take();
        let leaving = std::thread::Builder::new().name("leave-group".to_owned()).spawn(move || drop(consumer));
        if let Ok(leaving) = leaving {
            self.bus.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(leaving);
        }
    }
}

/// Whether the consumer gets over it by itself.
pub fn passes(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    !matches!(error, KafkaError::MessageConsumptionFatal(_))
        && matches!(
            code,
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Resolve
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::PollExceeded
                    | RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::NotLeaderForPartition
                    | RDKafkaErrorCode::LeaderNotAvailable
                    | RDKafkaErrorCode::FencedLeaderEpoch
                    | RDKafkaErrorCode::UnknownLeaderEpoch
                    | RDKafkaErrorCode::OffsetNotAvailable
                    | RDKafkaErrorCode::KafkaStorageError
            )
        )
}

/// A message as the bus hands it on.
pub fn delivery(topic: Topic, message: &BorrowedMessage<'_>) -> Delivery {
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
