//! The partitions and replicas of the topics.

use std::collections::BTreeMap;

use rdkafka::{ClientContext, client::Client};
use schemas::Topic;

use super::{broker_status::BrokerStatus, client::METADATA_TIMEOUT, failure};
use crate::{BusError, KafkaConfig};

/// The number of partitions of a topic, and of replicas of each partition.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub partitions: usize,
    pub replicas: usize,
}

/// Returns the layouts of the topics that exist. Blocks.
pub fn fetch_layouts<C: ClientContext>(
    config: &KafkaConfig,
    client: &Client<C>,
    brokers: &BrokerStatus,
) -> Result<BTreeMap<Topic, Layout>, BusError> {
    let metadata = client
        .fetch_metadata(None, METADATA_TIMEOUT)
        .map_err(|error| failure::bus_error("list the topics", &error, brokers))?;
    let layouts = metadata.topics().iter().filter(|topic| topic.error().is_none()).filter_map(|topic| {
        let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min()?;
        Some((config.topic_with_name(topic.name())?, Layout { partitions: topic.partitions().len(), replicas }))
    });
    Ok(layouts.collect())
}

/// Checks that all topics exist with the same number of partitions, because an event goes to the
/// partition number of its snapshot. Returns the number of partitions of each topic.
pub fn check_partitions(
    brokers: &BrokerStatus,
    layouts: &BTreeMap<Topic, Layout>,
) -> Result<BTreeMap<Topic, u16>, BusError> {
    let missing: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| !layouts.contains_key(topic)).collect();
    if !missing.is_empty() {
        return Err(BusError::TopicsMissing { brokers: brokers.addresses.clone(), topics: missing });
    }
    let expected = layouts.get(&Topic::Snapshots).map_or(0, |layout| layout.partitions);
    if let Some((topic, layout)) = layouts.iter().find(|(_, layout)| layout.partitions != expected) {
        return Err(BusError::TopicSetting {
            topic: *topic,
            setting: "partitions",
            expected: expected.to_string(),
            found: layout.partitions.to_string(),
        });
    }
    let count = |layout: &Layout| u16::try_from(layout.partitions).unwrap_or(u16::MAX);
    Ok(layouts.iter().map(|(topic, layout)| (*topic, count(layout))).collect())
}
