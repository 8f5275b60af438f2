//! Records that retention removed before a group read them.

use std::time::Duration;

use schemas::{Topic, topic::Retention};
use tokio::time::Instant;

/// Time between two log lines while records are lost continuously.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts the lost records of a subscription, and logs them at most once a minute.
#[derive(Debug, Default)]
pub struct Losses {
    count: u64,
    logged_count: u64,
    logged_at: Option<Instant>,
}

impl Losses {
    /// The number of lost records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts the records of a topic from offset `expected` to before `found`. In a compacted topic
    /// nothing is lost: a newer record has replaced them.
    pub fn add_gap(&mut self, topic: Topic, expected: i64, found: i64) {
        let lost = u64::try_from(found.saturating_sub(expected)).unwrap_or(0);
        if lost == 0 || topic.retention() == Retention::Compact {
            return;
        }
        self.count += lost;
        if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            let records = self.count - self.logged_count;
            tracing::warn!(%topic, records, total = self.count, "records were deleted before they were read");
            self.logged_count = self.count;
            self.logged_at = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_loss_unless_the_topic_is_compacted() {
        let mut losses = Losses::default();
        losses.add_gap(Topic::Snapshots, 5, 5);
        losses.add_gap(Topic::Snapshots, 5, 4);
        losses.add_gap(Topic::Incidents, 5, 9);
        assert_eq!(losses.count(), 0);
        losses.add_gap(Topic::Snapshots, 5, 9);
        losses.add_gap(Topic::Alerts, 0, 1);
        assert_eq!(losses.count(), 5);
    }
}
