//! The bus on Apache Kafka.
//!
//! A single record goes out by an idempotent producer with `acks=all`; several, or positions, go in a transaction, and
//! readers see what was committed alone. Positions carry the reader's membership in its group as it was when it read,
//! so a member that was taken for dead cannot publish what another has begun to do in its place.
//!
//! - `client`: how each client is set up, and what is known of the brokers
//! - `publish`: records and positions in
//! - `subscription`: reading as a member of a group
//! - `reader`: reading without a group
//! - `topics`: the topics made and looked at
//! - `failure`: what Kafka says, as the bus says it

mod client;
mod failure;
mod publish;
mod reader;
mod subscription;
pub(crate) mod topics;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, ConsumerGroupMetadata},
    producer::Producer,
};
use schemas::Topic;

use crate::{Bus, BusConfig, BusError, Cursor, Page, Positions, Record, Subscription};
use client::Brokers;
use publish::Deliverer;
use reader::Reader;
use subscription::KafkaSubscription;

/// How long a broker may take to say what topics it has.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time that dropped subscriptions have to leave their groups when the bus is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A handle on the topics of a Kafka cluster. Clones share it.
#[derive(Clone)]
pub struct KafkaBus {
    shared: Arc<Shared>,
}

struct Shared {
    config: BusConfig,
    client: ClientConfig,
    brokers: Arc<Brokers>,
    /// How many partitions each topic had when the bus was opened.
    partitions: BTreeMap<Topic, u16>,
    single: Deliverer,
    /// Made when it is first needed: most programs never publish more than a record at a time.
    transactions: Mutex<Option<Deliverer>>,
    /// Who this process is in each group that it reads as.
    members: Mutex<HashMap<String, Arc<ConsumerGroupMetadata>>>,
    watchers: OnceLock<Watchers>,
    readers: Mutex<BTreeMap<Topic, Arc<tokio::sync::Mutex<Reader>>>>,
    leaving: Mutex<Vec<JoinHandle<()>>>,
}

/// Clients that look where topics end, and never fetch: a broker answers a client's questions in turn, and a fetch that waits for
/// records holds up those behind it.
#[derive(Clone)]
struct Watchers {
    /// Sees records of transactions that are not committed too.
    written: Arc<BaseConsumer<client::Context>>,
    /// Sees what is decided alone.
    decided: Arc<BaseConsumer<client::Context>>,
}

impl KafkaBus {
    /// Connects, and sees that all topics are there and as they must be.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        let own = config.clone();
        let bus = tokio::task::spawn_blocking(move || Self::open_now(own)).await.map_err(|_| BusError::Stopped)??;
        topics::check_compaction(config).await?;
        Ok(bus)
    }

    fn open_now(config: BusConfig) -> Result<Self, BusError> {
        let client = client::settings(&config.kafka)?;
        let brokers = Brokers::new(&config.kafka.brokers);
        let mut shared = Shared {
            single: client::producer(&client, &config)
                .create_with_context(client::Context { brokers: Arc::clone(&brokers) })
                .map_err(|error| publish::refused(&error))?,
            config,
            client,
            brokers,
            partitions: BTreeMap::new(),
            transactions: Mutex::default(),
            members: Mutex::default(),
            watchers: OnceLock::new(),
            readers: Mutex::default(),
            leaving: Mutex::default(),
        };
        let found = topics::partitions(&shared.config.kafka, shared.single.client(), &shared.brokers)?;
        shared.partitions = topics::check_partitions(&shared.brokers, &found)?;
        shared.brokers.opened();
        Ok(KafkaBus { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn partitions(&self, topic: Topic) -> u16 {
        self.partitions.get(&topic).copied().unwrap_or(1)
    }

    fn watchers(&self) -> Result<Watchers, BusError> {
        if let Some(watchers) = self.watchers.get() {
            return Ok(watchers.clone());
        }
        let committed = client::consumer(&self.client);
        let mut all = committed.clone();
        all.set("isolation.level", "read_uncommitted");
        let watchers = Watchers { written: Arc::new(self.create(&all)?), decided: Arc::new(self.create(&committed)?) };
        Ok(self.watchers.get_or_init(|| watchers).clone())
    }

    fn reader(&self, topic: Topic) -> Result<Arc<tokio::sync::Mutex<Reader>>, BusError> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = readers.get(&topic) {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(tokio::sync::Mutex::new(Reader::new(self, topic)?));
        readers.insert(topic, Arc::clone(&reader));
        Ok(reader)
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let positions = positions.filter(|positions| !positions.next.is_empty());
        let placed = self.shared.place(records)?;
        match (&placed[..], &positions) {
            ([], None) => Ok(()),
            ([single], None) => self.shared.deliver(single).await,
            _ => {
                // Goes on to its end when this call is dropped.
                let shared = Arc::clone(&self.shared);
                let transaction = move || shared.transact(&placed, positions.as_ref());
                tokio::task::spawn_blocking(transaction).await.map_err(|_| BusError::Stopped)?
            }
        }
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(KafkaSubscription::join(Arc::clone(&self.shared), group, topics)?))
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
        let leaving: Vec<_> = self.shared.leaving.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        let wait = move || leaving.into_iter().for_each(|leaving| drop(leaving.join()));
        // A timeout or a panic of the library does not matter to a program that ends.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, tokio::task::spawn_blocking(wait)).await;
    }
}
