//! Checks and creates the topics of a cluster.

use super::topic_admin::TopicAdmin;
use crate::{BusConfig, BusError, topic_difference::TopicDifference};

/// Compares the topics with `config` and changes nothing.
pub async fn check(config: &BusConfig) -> Result<Vec<TopicDifference>, BusError> {
    TopicAdmin::connect(config).await?.differences().await
}

/// Creates missing topics and corrects settings. Returns what it changed.
///
/// Adds partitions but never removes any, and leaves the replication of existing topics alone.
pub async fn apply(config: &BusConfig) -> Result<Vec<TopicDifference>, BusError> {
    let admin = TopicAdmin::connect(config).await?;
    let mut changed = Vec::new();
    for difference in admin.differences().await? {
        let topic = difference.topic;
        let is_changed = match difference.setting {
            "topic" => admin.create(topic).await.map(|()| true),
            "partitions" => admin.add_partitions(topic).await,
            "replication" => Ok(false),
            // One request sets all settings of a topic.
            _ if changed
                .iter()
                .any(|change: &TopicDifference| change.topic == topic && change.setting.contains('.')) =>
            {
                Ok(true)
            }
            _ => admin.set_settings(topic).await.map(|()| true),
        };
        if is_changed? {
            changed.push(difference);
        }
    }
    admin.wait_for_topics().await?;
    Ok(changed)
}

/// Checks the cleanup policies of the topics: a wrong one could delete models and incidents.
pub(super) async fn check_compaction(config: &BusConfig) -> Result<(), BusError> {
    let differences = match check(config).await {
        Ok(differences) => differences,
        // Without permission to read the settings, assume that the operator has set them.
        Err(error @ BusError::Kafka { is_transient: false, .. }) => {
            tracing::debug!(%error, "cannot check the settings of topics");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let wrong = differences.into_iter().find(|difference| difference.setting == "cleanup.policy");
    wrong.map_or(Ok(()), |TopicDifference { topic, setting, expected, found }| {
        Err(BusError::TopicSetting { topic, setting, expected, found })
    })
}
