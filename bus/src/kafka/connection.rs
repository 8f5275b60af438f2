//! The state that the clients of a bus share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{ClientConfig, config::FromClientConfigAndContext, consumer::ConsumerGroupMetadata};
use schemas::Topic;

use super::{
    broker_status::BrokerStatus,
    client::{self, StatusContext},
};
use crate::{BusConfig, BusError};

/// Time that dropped subscriptions have to leave their groups when the bus is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The settings of a bus, the state of its cluster, and its memberships in groups.
pub struct Connection {
    /// The settings `[bus]`.
    pub config: BusConfig,
    /// The settings that all clients share.
    pub base_config: ClientConfig,
    /// Whether the brokers respond.
    pub brokers: Arc<BrokerStatus>,
    /// The number of partitions of each topic when they were last counted.
    partitions: Mutex<BTreeMap<Topic, u16>>,
    /// The membership of this process in each group that it reads as.
    memberships: Mutex<HashMap<String, Arc<ConsumerGroupMetadata>>>,
    /// The threads in which dropped subscriptions leave their groups.
    leaving: Mutex<Vec<JoinHandle<()>>>,
}

impl Connection {
    /// The state of a bus without memberships.
    pub fn new(
        config: BusConfig,
        base_config: ClientConfig,
        brokers: Arc<BrokerStatus>,
        partitions: BTreeMap<Topic, u16>,
    ) -> Connection {
        Connection {
            config,
            base_config,
            brokers,
            partitions: Mutex::new(partitions),
            memberships: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    /// The number of partitions of a topic when they were last counted.
    pub fn partitions(&self, topic: Topic) -> u16 {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.get(&topic).copied().unwrap_or(1)
    }

    /// Stores a newer count of the partitions.
    pub fn set_partitions(&self, partitions: BTreeMap<Topic, u16>) {
        *self.partitions.lock().unwrap_or_else(PoisonError::into_inner) = partitions;
    }

    /// The name of a topic on this cluster.
    pub fn topic_name(&self, topic: Topic) -> String {
        self.config.kafka.topic_name(topic)
    }

    /// Creates a client that reports to the status of the brokers.
    pub fn create_client<C: FromClientConfigAndContext<StatusContext>>(
        &self,
        config: &ClientConfig,
    ) -> Result<C, BusError> {
        client::create(config, &self.brokers)
    }

    /// The membership in a group when this process last read as its member.
    pub fn membership(&self, group: &str) -> Option<Arc<ConsumerGroupMetadata>> {
        self.memberships().get(group).map(Arc::clone)
    }

    /// Stores the current membership in a group, under which positions are published from now on.
    pub fn store_membership(&self, group: &str, membership: ConsumerGroupMetadata) {
        self.memberships().insert(group.to_owned(), Arc::new(membership));
    }

    /// Removes the membership in a group, and drops `consumer` in a thread of its own: leaving the
    /// group takes a request to the broker.
    pub fn leave_group<C: Send + 'static>(&self, group: &str, consumer: C) {
        self.memberships().remove(group);
        let leaving = thread::Builder::new().name("leave-group".to_owned()).spawn(move || drop(consumer));
        if let Ok(leaving) = leaving {
            self.leaving().push(leaving);
        }
    }

    /// Waits until dropped subscriptions have left their groups, or for [`CLOSE_TIMEOUT`].
    pub async fn wait_for_leaving(&self) {
        let leaving: Vec<_> = self.leaving().drain(..).collect();
        let wait = move || leaving.into_iter().for_each(|leaving| drop(leaving.join()));
        // A timeout or a panic of the library does not matter to a program that ends.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, tokio::task::spawn_blocking(wait)).await;
    }

    fn memberships(&self) -> MutexGuard<'_, HashMap<String, Arc<ConsumerGroupMetadata>>> {
        self.memberships.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
