//! The settings that each topic must have.

use std::time::Duration;

use schemas::{Topic, topic::Retention};

use crate::BusConfig;

/// The longest time until a segment is closed. Only closed segments are deleted.
const MAX_SEGMENT_TIME: Duration = Duration::from_secs(24 * 3600);
/// With this many replicas, at least two acknowledge each record.
const REPLICAS_FOR_TWO_IN_SYNC: u16 = 3;

/// The topic settings that `config` requires.
pub fn required_settings(config: &BusConfig, topic: Topic) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).map_or("-1".to_owned(), |millis| millis.to_string());
    let mut settings = match config.retention.for_topic(topic) {
        Retention::Delete(age) => vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", millis(age)),
            ("segment.ms", millis((age / 4).clamp(Duration::from_secs(60), MAX_SEGMENT_TIME))),
        ],
        Retention::Compact => vec![
            ("cleanup.policy", "compact".to_owned()),
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("segment.ms", millis(Duration::from_secs(3600))),
        ],
    };
    // Retention counts from the arrival of a record: replayed records are old, and the clock of a
    // host can be wrong.
    settings.push(("message.timestamp.type", "LogAppendTime".to_owned()));
    if config.kafka.replication >= REPLICAS_FOR_TWO_IN_SYNC {
        settings.push(("min.insync.replicas", "2".to_owned()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_closed_within_a_quarter_of_the_retention() {
        let config = BusConfig::default();
        assert_eq!(
            required_settings(&config, Topic::Snapshots),
            [
                ("cleanup.policy", "delete".to_owned()),
                ("retention.ms", "14400000".to_owned()),
                ("segment.ms", "3600000".to_owned()),
                ("message.timestamp.type", "LogAppendTime".to_owned()),
            ]
        );
        assert!(required_settings(&config, Topic::Models).contains(&("cleanup.policy", "compact".to_owned())));
    }

    #[test]
    fn with_three_replicas_two_must_be_in_sync() {
        let mut config = BusConfig::default();
        let pair = ("min.insync.replicas", "2".to_owned());
        assert!(!required_settings(&config, Topic::Alerts).contains(&pair));
        config.kafka.replication = 3;
        assert!(required_settings(&config, Topic::Alerts).contains(&pair));
    }
}
