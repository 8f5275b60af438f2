//! When snapshots were last received, scored and published, and whether that is recent enough.

use std::{fmt::Write, time::Duration};

use schemas::Timestamp;

/// Readiness requires no faster progress than this, however short the interval of sweeps is.
const MIN_DEADLINE: Duration = Duration::from_secs(10);
/// Intervals of sweeps count as at most this long: they come from the producers.
const MAX_INTERVAL_MS: i64 = 3_600_000;

/// Times of the last progress of each stage, by the scorer's clock. `None`: none since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When a snapshot was received.
    pub received_at: Option<Timestamp>,
    /// When a snapshot was scored.
    pub scored_at: Option<Timestamp>,
    /// When the results of snapshots were published.
    pub published_at: Option<Timestamp>,
}

impl Freshness {
    /// The first stage without progress in the last `intervals` sweeps, each of `interval_ms`:
    /// `receive`, `score` or `publish`. `None`: all stages are recent.
    pub fn late_stage(&self, now: Timestamp, intervals: u32, interval_ms: i64) -> Option<&'static str> {
        let deadline_ms = interval_ms.clamp(0, MAX_INTERVAL_MS).saturating_mul(i64::from(intervals));
        let deadline_ms = deadline_ms.max(i64::try_from(MIN_DEADLINE.as_millis()).unwrap_or(i64::MAX));
        // A time after `now` is from before the clock was set back, so its age is unknown.
        let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| (0..=deadline_ms).contains(&now.millis_since(at)));
        let stages = [("receive", self.received_at), ("score", self.scored_at), ("publish", self.published_at)];
        stages.into_iter().find(|(_, at)| !is_recent(*at)).map(|(stage, _)| stage)
    }

    /// Appends the times as gauges in the Prometheus text format, in seconds since 1970. A stage
    /// without progress has none.
    pub fn render(&self, text: &mut String) {
        for (stage, help, at) in [
            ("received", "When a snapshot was received", self.received_at),
            ("scored", "When a snapshot was scored", self.scored_at),
            ("published", "When the results of snapshots were published", self.published_at),
        ] {
            let Some(at) = at else { continue };
            let name = format!("detective_snapshot_{stage}_timestamp_seconds");
            let seconds = at.0 as f64 / 1000.0;
            let _ =
                write!(text, "# HELP {name} {help}, in seconds since 1970.\n# TYPE {name} gauge\n{name} {seconds}\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness(received: i64, scored: i64, published: i64) -> Freshness {
        let at = |ms| Some(Timestamp(ms));
        Freshness { received_at: at(received), scored_at: at(scored), published_at: at(published) }
    }

    #[test]
    fn the_first_stage_without_recent_progress_is_late() {
        let late = |freshness: Freshness| freshness.late_stage(Timestamp(100_000), 15, 1000);
        assert_eq!(late(freshness(85_000, 85_000, 85_000)), None);
        assert_eq!(late(freshness(84_999, 84_999, 84_999)), Some("receive"));
        assert_eq!(late(freshness(99_000, 84_999, 99_000)), Some("score"));
        assert_eq!(late(freshness(99_000, 99_000, 84_999)), Some("publish"));
        assert_eq!(late(Freshness::default()), Some("receive"));
    }

    #[test]
    fn a_deadline_is_at_least_ten_seconds_and_finite() {
        let all_at = |ms| freshness(ms, ms, ms);
        assert_eq!(all_at(0).late_stage(Timestamp(10_000), 15, 100), None);
        assert_eq!(all_at(0).late_stage(Timestamp(10_001), 15, 100), Some("receive"));
        assert_eq!(all_at(0).late_stage(Timestamp(i64::MAX), 15, i64::MAX), Some("receive"));
    }

    #[test]
    fn after_the_clock_was_set_back_a_stage_is_late_until_its_next_progress() {
        assert_eq!(freshness(5000, 5000, 5000).late_stage(Timestamp(4000), 15, 1000), Some("receive"));
        assert_eq!(freshness(4000, 4000, 4000).late_stage(Timestamp(4000), 15, 1000), None);
    }

    #[test]
    fn the_times_are_rendered_in_seconds() {
        let mut text = String::new();
        Freshness { scored_at: None, ..freshness(1500, 0, 2000) }.render(&mut text);
        assert!(text.contains("\ndetective_snapshot_received_timestamp_seconds 1.5\n"), "{text}");
        assert!(text.ends_with("\ndetective_snapshot_published_timestamp_seconds 2\n"), "{text}");
        assert!(!text.contains("scored_timestamp"), "{text}");
    }
}
