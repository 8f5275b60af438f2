//! Reads and changes the topics of a cluster through Kafka's admin API.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic,
        ResourceSpecifier, TopicReplication, TopicResult,
    },
    error::{KafkaError, RDKafkaErrorCode},
};
use schemas::Topic;

use super::{
    broker_status::BrokerStatus,
    client::{self, REQUEST_TIMEOUT, StatusContext},
    failure,
    topic_layout::{Layout, check_partitions, fetch_layouts},
    topic_settings::required_settings,
};
use crate::{BusConfig, BusError, topic_difference::TopicDifference};

/// Reads and changes the topics of a cluster.
pub struct TopicAdmin<'c> {
    config: &'c BusConfig,
    brokers: Arc<BrokerStatus>,
    client: Arc<AdminClient<StatusContext>>,
    layouts: BTreeMap<Topic, Layout>,
}

impl<'c> TopicAdmin<'c> {
    /// Connects to the brokers and reads the layouts of the topics.
    pub async fn connect(config: &'c BusConfig) -> Result<Self, BusError> {
        let brokers = BrokerStatus::new(&config.kafka.brokers);
        let client = client::create(&client::base_config(&config.kafka)?, &brokers)?;
        let mut admin = TopicAdmin { config, brokers, client: Arc::new(client), layouts: BTreeMap::new() };
        admin.layouts = admin.fetch_layouts().await?;
        Ok(admin)
    }

    async fn fetch_layouts(&self) -> Result<BTreeMap<Topic, Layout>, BusError> {
        let config = self.config.kafka.clone();
        let client = Arc::clone(&self.client);
        let brokers = Arc::clone(&self.brokers);
        let fetch = move || fetch_layouts(&config, client.inner(), &brokers);
        tokio::task::spawn_blocking(fetch).await.map_err(|_| BusError::Stopped)?
    }

    /// Waits until all brokers know the topics that were created.
    pub async fn wait_for_topics(&self) -> Result<(), BusError> {
        let deadline = tokio::time::Instant::now() + REQUEST_TIMEOUT;
        loop {
            let checked = check_partitions(&self.brokers, &self.fetch_layouts().await?);
            if checked.is_ok() || tokio::time::Instant::now() > deadline {
                return checked.map(drop);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Compares the topics with the settings of the bus.
    pub async fn differences(&self) -> Result<Vec<TopicDifference>, BusError> {
        let mut differences = Vec::new();
        let described = self.describe_topics().await?;
        for topic in Topic::ALL {
            let mut compare = |setting, expected: String, found: String| {
                if expected != found {
                    differences.push(TopicDifference { topic, setting, expected, found });
                }
            };
            let Some(layout) = self.layouts.get(&topic) else {
                compare("topic", "present".to_owned(), "missing".to_owned());
                continue;
            };
            compare("partitions", self.required_partitions().to_string(), layout.partitions.to_string());
            if self.config.kafka.replication > 0 {
                compare("replication", self.config.kafka.replication.to_string(), layout.replicas.to_string());
            }
            for (name, expected) in required_settings(self.config, topic) {
                let entry = described.get(&topic).and_then(|resource| resource.get(name));
                let found = entry.and_then(|entry| entry.value.clone());
                compare(name, expected, found.unwrap_or_else(|| "not set".to_owned()));
            }
        }
        Ok(differences)
    }

    /// The configured number of partitions, or the largest number that a topic already has: all
    /// topics must have the same number.
    fn required_partitions(&self) -> usize {
        let largest = self.layouts.values().map(|layout| layout.partitions).max().unwrap_or(0);
        largest.max(usize::from(self.config.kafka.partitions))
    }

    async fn describe_topics(&self) -> Result<BTreeMap<Topic, ConfigResource>, BusError> {
        let existing: Vec<Topic> = self.layouts.keys().copied().collect();
        if existing.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<String> = existing.iter().map(|topic| self.config.kafka.topic_name(*topic)).collect();
        let specifiers: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let results = self.client.describe_configs(&specifiers, &options()).await;
        let results = results.map_err(|error| self.bus_error("read the settings of topics", &error))?;
        let mut described = BTreeMap::new();
        for (topic, result) in existing.into_iter().zip(results) {
            let resource =
                result.map_err(|code| self.bus_error("read the settings of a topic", &KafkaError::AdminOp(code)))?;
            described.insert(topic, resource);
        }
        Ok(described)
    }

    /// Creates a topic.
    pub async fn create(&self, topic: Topic) -> Result<(), BusError> {
        let settings = required_settings(self.config, topic);
        let partitions = i32::try_from(self.required_partitions()).unwrap_or(i32::MAX);
        // In Kafka's protocol, -1 is the default of the broker.
        let replication = match self.config.kafka.replication {
            0 => -1,
            replication => i32::from(replication),
        };
        let name = self.config.kafka.topic_name(topic);
        let mut new = NewTopic::new(&name, partitions, TopicReplication::Fixed(replication));
        for (name, value) in &settings {
            new = new.set(name, value);
        }
        let created = self.client.create_topics([&new], &options()).await;
        match self.check_results("create a topic", created) {
            // Another process created it meanwhile.
            Err((_, Some(RDKafkaErrorCode::TopicAlreadyExists))) | Ok(()) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }

    /// Adds partitions up to the required number. Returns whether it added any; extra partitions
    /// stay.
    pub async fn add_partitions(&self, topic: Topic) -> Result<bool, BusError> {
        let required = self.required_partitions();
        if self.layouts.get(&topic).is_some_and(|layout| layout.partitions >= required) {
            return Ok(false);
        }
        let name = self.config.kafka.topic_name(topic);
        let more = NewPartitions::new(&name, required);
        let created = self.client.create_partitions([&more], &options()).await;
        self.check_results("add partitions", created).map_err(|(error, _)| error)?;
        Ok(true)
    }

    /// Sets the required settings of a topic.
    pub async fn set_settings(&self, topic: Topic) -> Result<(), BusError> {
        let described = self.describe_topics().await?;
        let settings = required_settings(self.config, topic);
        // The request replaces all settings of the topic, so it must include those of the operator.
        let kept = described.get(&topic).into_iter().flat_map(|resource| &resource.entries).filter(|entry| {
            entry.source == ConfigSource::DynamicTopic && !settings.iter().any(|(name, _)| *name == entry.name)
        });
        let name = self.config.kafka.topic_name(topic);
        let mut request = AlterConfig::new(ResourceSpecifier::Topic(&name));
        for entry in kept {
            if let Some(value) = &entry.value {
                request = request.set(&entry.name, value);
            }
        }
        for (name, value) in &settings {
            request = request.set(name, value);
        }
        let results = self.client.alter_configs([&request], &options()).await;
        let results = results.map_err(|error| self.bus_error("change the settings of a topic", &error))?;
        for result in results {
            result.map_err(|(_, code)| self.bus_error("change the settings of a topic", &KafkaError::AdminOp(code)))?;
        }
        Ok(())
    }

    fn check_results(
        &self,
        operation: &'static str,
        results: Result<Vec<TopicResult>, KafkaError>,
    ) -> Result<(), (BusError, Option<RDKafkaErrorCode>)> {
        for result in results.map_err(|error| (self.bus_error(operation, &error), None))? {
            result.map_err(|(_, code)| (self.bus_error(operation, &KafkaError::AdminOp(code)), Some(code)))?;
        }
        Ok(())
    }

    fn bus_error(&self, operation: &'static str, error: &KafkaError) -> BusError {
        failure::bus_error(operation, error, &self.brokers)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}
