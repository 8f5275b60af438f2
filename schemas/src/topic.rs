//! Topics and their retention.

use std::{fmt, time::Duration};

/// The topics of Local Detective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `GraphSnapshot` by host id.
    Snapshots,
    /// `HealthySnapshot` by host id.
    Healthy,
    /// `ModelRelease` by cohort.
    Models,
    /// `RootCauseEvent` by incident id.
    Alerts,
    /// `Incident` by incident id.
    Incidents,
    /// `OperatorAction` by host id; without a key for all hosts.
    Actions,
    /// Records that could not be processed, keyed by their own keys.
    DeadLetter,
}

/// Retention of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Records are deleted at this age.
    Delete(Duration),
    /// Only the newest record of each key is kept.
    Compact,
}

const HOUR: Duration = Duration::from_secs(3600);

impl Topic {
    /// All topics.
    pub const ALL: [Topic; 7] = [
        Topic::Snapshots,
        Topic::Healthy,
        Topic::Models,
        Topic::Alerts,
        Topic::Incidents,
        Topic::Actions,
        Topic::DeadLetter,
    ];

    /// Name on the bus.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Snapshots => "detective.snapshots",
            Topic::Healthy => "detective.healthy",
            Topic::Models => "detective.models",
            Topic::Alerts => "detective.alerts",
            Topic::Incidents => "detective.incidents",
            Topic::Actions => "detective.actions",
            Topic::DeadLetter => "detective.dead-letter",
        }
    }

    /// Returns the topic with that name.
    pub fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// Retention of the topic.
    pub const fn retention(self) -> Retention {
        match self {
            Topic::Snapshots => Retention::Delete(Duration::from_secs(4 * HOUR.as_secs())),
            Topic::Healthy | Topic::DeadLetter => Retention::Delete(Duration::from_secs(7 * 24 * HOUR.as_secs())),
            Topic::Alerts | Topic::Actions => Retention::Delete(Duration::from_secs(30 * 24 * HOUR.as_secs())),
            Topic::Models | Topic::Incidents => Retention::Compact,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
