//! Differences between the topics of a cluster and the settings of the bus.

use std::fmt;

use schemas::Topic;

/// A setting of a topic that differs from what [`BusConfig`] requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDifference {
    /// The topic.
    pub topic: Topic,
    /// `topic` (it is missing), `partitions`, `replication` or the name of a topic setting.
    pub setting: &'static str,
    /// The required value.
    pub expected: String,
    /// The current value.
    pub found: String,
}

impl fmt::Display for TopicDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicDifference { topic, setting, expected, found } = self;
        match *setting {
            "topic" => write!(f, "{topic} is {found}"),
            _ => write!(f, "{topic}: {setting} is {found}, expected {expected}"),
        }
    }
}
