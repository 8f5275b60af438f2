//! The bus on Apache Kafka.
//!
//! An idempotent producer with `acks=all` publishes a single record. Several records, or positions,
//! are published in a transaction, and readers see committed records only. Positions carry the
//! group membership that the reader had when it read, so a member that the group has replaced
//! cannot publish what its successor has begun to process.
//!
//! - `client`: the configuration of the clients
//! - `connection`: the state that they share
//! - `broker_status`: whether the brokers respond
//! - `publish`: writes records and positions; `transaction`: several together
//! - `subscription`: reads as a member of a group
//! - `reader`: reads without a group
//! - `ends`: finds the ends of a topic
//! - `topics`: checks and creates the topics, through `topic_admin`
//! - `topic_layout`, `topic_settings`: the partitions and settings that they must have
//! - `failure`: Kafka's errors as errors of the bus

mod broker_status;
mod client;
mod connection;
mod ends;
mod failure;
mod publish;
mod reader;
mod subscription;
mod topic_admin;
mod topic_layout;
mod topic_settings;
pub(crate) mod topics;
mod transaction;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::producer::Producer;
use schemas::Topic;

use crate::{Bus, BusConfig, BusError, Cursor, Page, Positions, Record, Subscription};
use broker_status::BrokerStatus;
use connection::Connection;
use ends::EndClients;
use publish::Publisher;
use reader::Reader;
use subscription::KafkaSubscription;

/// A handle on the topics of a Kafka cluster. Clones share it.
#[derive(Clone)]
pub struct KafkaBus {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Arc<Connection>,
    publisher: Publisher,
    end_clients: OnceLock<EndClients>,
    readers: Mutex<BTreeMap<Topic, Arc<tokio::sync::Mutex<Reader>>>>,
}

impl KafkaBus {
    /// Connects to the brokers, and checks that all topics exist with the required settings.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        let owned = config.clone();
        let open = tokio::task::spawn_blocking(move || Self::open_blocking(owned));
        let bus = open.await.map_err(|_| BusError::Stopped)??;
        topics::check_compaction(config).await?;
        Ok(bus)
    }

    fn open_blocking(config: BusConfig) -> Result<Self, BusError> {
        let base_config = client::base_config(&config.kafka)?;
        let brokers = BrokerStatus::new(&config.kafka.brokers);
        let producer: publish::RecordProducer =
            client::create(&client::producer_config(&base_config, &config), &brokers)?;
        let layouts = topic_layout::fetch_layouts(&config.kafka, producer.client(), &brokers)?;
        let partitions = topic_layout::check_partitions(&brokers, &layouts)?;
        brokers.start_logging();
        let connection = Arc::new(Connection::new(config, base_config, brokers, partitions));
        let publisher = Publisher::new(Arc::clone(&connection), producer);
        let shared = Shared { connection, publisher, end_clients: OnceLock::new(), readers: Mutex::default() };
        Ok(KafkaBus { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn end_clients(&self) -> Result<EndClients, BusError> {
        if let Some(clients) = self.end_clients.get() {
            return Ok(clients.clone());
        }
        let clients = EndClients::new(&self.connection)?;
        Ok(self.end_clients.get_or_init(|| clients).clone())
    }

    fn reader(&self, topic: Topic) -> Result<Arc<tokio::sync::Mutex<Reader>>, BusError> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = readers.get(&topic) {
            return Ok(Arc::clone(reader));
        }
        let reader = Reader::new(&self.connection, self.end_clients()?, topic)?;
        let reader = Arc::new(tokio::sync::Mutex::new(reader));
        readers.insert(topic, Arc::clone(&reader));
        Ok(reader)
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let positions = positions.filter(|positions| !positions.next.is_empty());
        if self.shared.publisher.has_unknown_partition(&records) {
            // Partitions may have been added.
            let shared = Arc::clone(&self.shared);
            let refresh = tokio::task::spawn_blocking(move || shared.publisher.refresh_partitions());
            refresh.await.map_err(|_| BusError::Stopped)??;
        }
        let routed = self.shared.publisher.route(records)?;
        match (&routed[..], &positions) {
            ([], None) => Ok(()),
            ([single], None) => self.shared.publisher.publish_single(single).await,
            _ => {
                // If this call is dropped, the transaction still runs to its end.
                let shared = Arc::clone(&self.shared);
                let transaction = move || shared.publisher.publish_in_transaction(&routed, positions.as_ref());
                tokio::task::spawn_blocking(transaction).await.map_err(|_| BusError::Stopped)?
            }
        }
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(KafkaSubscription::join(Arc::clone(&self.shared.connection), group, topics)?))
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let reader = self.shared.reader(from.topic)?;
        reader.lock_owned().await.read(from, max.max(1), wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        let reader = self.shared.reader(topic)?;
        let next = reader.lock_owned().await.ends().await?;
        Ok(Cursor { topic, next })
    }

    async fn close(&self) {
        self.shared.connection.wait_for_leaving().await;
    }
}
