//! The topics of a cluster, made and looked at.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    ClientContext,
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic,
        ResourceSpecifier, TopicReplication, TopicResult,
    },
    client::Client,
    error::{KafkaError, RDKafkaErrorCode},
};
use schemas::{Topic, topic::Retention};

use super::{
    PATIENCE,
    client::{self, Brokers, Context},
    failure,
    publish::refused,
};
use crate::{BusConfig, BusError, KafkaConfig, topics::Difference};

/// A segment is closed after this long at most, so that what is old can go.
const LONGEST_SEGMENT: Duration = Duration::from_secs(24 * 3600);
/// Where this many brokers keep a topic, a record is acknowledged by two of them at least.
const ENOUGH_FOR_TWO: u16 = 3;

/// How a topic is: partitions and replicas of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    partitions: usize,
    replicas: usize,
}

/// What of the topics is not as `config` wants it. Changes nothing.
pub async fn check(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    Keeper::new(config).await?.differences().await
}

/// Makes the topics that are missing and sets what differs; returns what was changed.
///
/// Partitions are added and never taken away; on how many brokers a topic is kept stays as it is.
pub async fn apply(config: &BusConfig) -> Result<Vec<Difference>, BusError> {
    let keeper = Keeper::new(config).await?;
    let differences = keeper.differences().await?;
    let mut changed = Vec::new();
    for difference in differences {
        let topic = difference.topic;
        let done = match difference.setting {
            "topic" => keeper.create(topic).await.map(|()| true),
            "partitions" => keeper.add_partitions(topic).await,
            "replication" => Ok(false),
            // One request sets all of a topic.
            _ if changed.iter().any(|change: &Difference| change.topic == topic && change.setting.contains('.')) => {
                Ok(true)
            }
            _ => keeper.set(topic).await.map(|()| true),
        };
        if done? {
            changed.push(difference);
        }
    }
    keeper.await_topics().await?;
    Ok(changed)
}

/// Topic settings as `config` wants them.
fn settings(config: &BusConfig, topic: Topic) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).map_or("-1".to_owned(), |millis| millis.to_string());
    let mut settings = match config.retention.of(topic) {
        Retention::Delete(age) => vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", millis(age)),
            ("segment.ms", millis((age / 4).clamp(Duration::from_secs(60), LONGEST_SEGMENT))),
        ],
        Retention::Compact => vec![
            ("cleanup.policy", "compact".to_owned()),
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("segment.ms", millis(Duration::from_secs(3600))),
        ],
    };
    // What is replayed is old, and a host's clock may be wrong: records stay by the time of their arrival.
    settings.push(("message.timestamp.type", "LogAppendTime".to_owned()));
    if config.kafka.replication >= ENOUGH_FOR_TWO {
        settings.push(("min.insync.replicas", "2".to_owned()));
    }
    settings
}

/// Looks after the topics.
struct Keeper<'c> {
    config: &'c BusConfig,
    brokers: Arc<Brokers>,
    admin: Arc<AdminClient<Context>>,
    found: BTreeMap<Topic, Found>,
}

impl<'c> Keeper<'c> {
    async fn new(config: &'c BusConfig) -> Result<Self, BusError> {
        let brokers = Brokers::new(&config.kafka.brokers);
        let context = Context { brokers: Arc::clone(&brokers) };
        let admin: AdminClient<Context> =
            client::settings(&config.kafka)?.create_with_context(context).map_err(|error| refused(&error))?;
        let mut keeper = Keeper { config, brokers, admin: Arc::new(admin), found: BTreeMap::new() };
        keeper.found = keeper.look().await?;
        Ok(keeper)
    }

    async fn look(&self) -> Result<BTreeMap<Topic, Found>, BusError> {
        let (kafka, admin, brokers) = (self.config.kafka.clone(), Arc::clone(&self.admin), Arc::clone(&self.brokers));
        let look = move || partitions(&kafka, admin.inner(), &brokers);
        tokio::task::spawn_blocking(look).await.map_err(|_| BusError::Stopped)?
    }

    /// What was made is not known to every broker at once.
    async fn await_topics(&self) -> Result<(), BusError> {
        let give_up = tokio::time::Instant::now() + PATIENCE * 2;
        loop {
            let settled = check_partitions(&self.brokers, &self.look().await?);
            if settled.is_ok() || tokio::time::Instant::now() > give_up {
                return settled.map(drop);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn differences(&self) -> Result<Vec<Difference>, BusError> {
        let mut differences = Vec::new();
        let described = self.describe().await?;
        for topic in Topic::ALL {
            let mut differ = |setting, expected: String, found: String| {
                if expected != found {
                    differences.push(Difference { topic, setting, expected, found });
                }
            };
            let Some(found) = self.found.get(&topic) else {
                differ("topic", "there".to_owned(), "missing".to_owned());
                continue;
            };
            differ("partitions", self.wanted_partitions().to_string(), found.partitions.to_string());
            if self.config.kafka.replication > 0 {
                differ("replication", self.config.kafka.replication.to_string(), found.replicas.to_string());
            }
            for (name, wanted) in settings(self.config, topic) {
                let entry = described.get(&topic).and_then(|resource| resource.get(name));
                let found = entry.and_then(|entry| entry.value.clone());
                differ(name, wanted, found.unwrap_or_else(|| "not set".to_owned()));
            }
        }
        Ok(differences)
    }

    /// As configured, or as many as a topic has already: all must have equally many.
    fn wanted_partitions(&self) -> usize {
        let most = self.found.values().map(|found| found.partitions).max().unwrap_or(0);
        most.max(usize::from(self.config.kafka.partitions))
    }

    async fn describe(&self) -> Result<BTreeMap<Topic, ConfigResource>, BusError> {
        let asked: Vec<Topic> = self.found.keys().copied().collect();
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<String> = asked.iter().map(|topic| self.config.kafka.name(*topic)).collect();
        let specifiers: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answers = self.admin.describe_configs(&specifiers, &options()).await;
        let answers = answers.map_err(|error| self.failed("read the settings of topics", &error))?;
        let mut described = BTreeMap::new();
        for (topic, answer) in asked.into_iter().zip(answers) {
            let answer =
                answer.map_err(|code| self.failed("read the settings of a topic", &KafkaError::AdminOp(code)))?;
            described.insert(topic, answer);
        }
        Ok(described)
    }

    async fn create(&self, topic: Topic) -> Result<(), BusError> {
        let settings = settings(self.config, topic);
        let partitions = i32::try_from(self.wanted_partitions()).unwrap_or(i32::MAX);
        // Kafka's own word for the broker's default is -1.
        let replication = match self.config.kafka.replication {
            0 => -1,
            replication => i32::from(replication),
        };
        let name = self.config.kafka.name(topic);
        let mut new = NewTopic::new(&name, partitions, TopicReplication::Fixed(replication));
        for (name, value) in &settings {
            new = new.set(name, value);
        }
        let made = self.admin.create_topics([&new], &options()).await;
        match self.settled("create a topic", made) {
            // Somebody else was faster.
            Err((_, Some(RDKafkaErrorCode::TopicAlreadyExists))) | Ok(()) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }

    /// Says whether any were added: there may be too many, which stay.
    async fn add_partitions(&self, topic: Topic) -> Result<bool, BusError> {
        let wanted = self.wanted_partitions();
        if self.found.get(&topic).is_some_and(|found| found.partitions >= wanted) {
            return Ok(false);
        }
        let name = self.config.kafka.name(topic);
        let more = NewPartitions::new(&name, wanted);
        let made = self.admin.create_partitions([&more], &options()).await;
        self.settled("add partitions", made).map_err(|(error, _)| error)?;
        Ok(true)
    }

    async fn set(&self, topic: Topic) -> Result<(), BusError> {
        let described = self.describe().await?;
        let settings = settings(self.config, topic);
        // The request replaces all that was set on the topic: what an operator set goes with it.
        let kept = described.get(&topic).into_iter().flat_map(|resource| &resource.entries).filter(|entry| {
            entry.source == ConfigSource::DynamicTopic && !settings.iter().any(|(name, _)| *name == entry.name)
        });
        let name = self.config.kafka.name(topic);
        let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(&name));
        for entry in kept {
            if let Some(value) = &entry.value {
                wanted = wanted.set(&entry.name, value);
            }
        }
        for (name, value) in &settings {
            wanted = wanted.set(name, value);
        }
        let answers = self.admin.alter_configs([&wanted], &options()).await;
        let answers = answers.map_err(|error| self.failed("set up a topic", &error))?;
        for answer in answers {
            answer.map_err(|(_, code)| self.failed("set up a topic", &KafkaError::AdminOp(code)))?;
        }
        Ok(())
    }

    fn settled(
        &self,
        doing: &'static str,
        made: Result<Vec<TopicResult>, KafkaError>,
    ) -> Result<(), (BusError, Option<RDKafkaErrorCode>)> {
        let results = made.map_err(|error| (self.failed(doing, &error), None))?;
        for result in results {
            result.map_err(|(_, code)| (self.failed(doing, &KafkaError::AdminOp(code)), Some(code)))?;
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, error: &KafkaError) -> BusError {
        failure::failed(doing, error, &self.brokers)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE * 2)).operation_timeout(Some(PATIENCE * 2))
}

/// Which of our topics there are. Blocks.
pub(super) fn partitions<C: ClientContext>(
    config: &KafkaConfig,
    client: &Client<C>,
    brokers: &Brokers,
) -> Result<BTreeMap<Topic, Found>, BusError> {
    let metadata =
        client.fetch_metadata(None, PATIENCE).map_err(|error| failure::failed("list the topics", &error, brokers))?;
    let found = metadata.topics().iter().filter(|topic| topic.error().is_none()).filter_map(|found| {
        let replicas = found.partitions().iter().map(|partition| partition.replicas().len()).min()?;
        Some((config.topic(found.name())?, Found { partitions: found.partitions().len(), replicas }))
    });
    Ok(found.collect())
}

/// How many partitions each topic has, if all topics are there and have equally many: an event goes to the partition
/// number that its snapshot came in.
pub(super) fn check_partitions(
    brokers: &Brokers,
    found: &BTreeMap<Topic, Found>,
) -> Result<BTreeMap<Topic, u16>, BusError> {
    let missing: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| !found.contains_key(topic)).collect();
    if !missing.is_empty() {
        return Err(BusError::TopicsMissing { brokers: brokers.addresses.clone(), topics: missing });
    }
    let expected = found.get(&Topic::Snapshots).map_or(0, |found| found.partitions);
    if let Some((topic, found)) = found.iter().find(|(_, found)| found.partitions != expected) {
        return Err(BusError::TopicPolicy {
            topic: *topic,
            setting: "partitions",
            expected: expected.to_string(),
            found: found.partitions.to_string(),
        });
    }
    let count = |found: &Found| u16::try_from(found.partitions).unwrap_or(u16::MAX);
    Ok(found.iter().map(|(topic, found)| (*topic, count(found))).collect())
}

/// Sees that what must not be forgotten is not.
pub(super) async fn check_compaction(config: &BusConfig) -> Result<(), BusError> {
    let found = match check(config).await {
        Ok(found) => found,
        // Who may not look takes the operator's word for it.
        Err(error @ BusError::Kafka { is_transient: false, .. }) => {
            tracing::debug!(%error, "the topics' settings are not checked");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let wrong = found.into_iter().find(|difference| difference.setting == "cleanup.policy");
    wrong.map_or(Ok(()), |Difference { topic, setting, expected, found }| {
        Err(BusError::TopicPolicy { topic, setting, expected, found })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_records_can_go_in_time() {
        let config = BusConfig::default();
        assert_eq!(
            settings(&config, Topic::Snapshots),
            [
                ("cleanup.policy", "delete".to_owned()),
                ("retention.ms", "14400000".to_owned()),
                ("segment.ms", "3600000".to_owned()),
                ("message.timestamp.type", "LogAppendTime".to_owned()),
            ]
        );
        assert!(settings(&config, Topic::Models).contains(&("cleanup.policy", "compact".to_owned())));
    }

    #[test]
    fn what_is_kept_three_times_is_acknowledged_twice() {
        let mut config = BusConfig::default();
        let pair = ("min.insync.replicas", "2".to_owned());
        assert!(!settings(&config, Topic::Alerts).contains(&pair));
        config.kafka.replication = 3;
        assert!(settings(&config, Topic::Alerts).contains(&pair));
    }
}
