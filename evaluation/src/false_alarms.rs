//! Counts the incidents that open in healthy time. Each of them is a false alarm.

use schemas::GraphSnapshot;

use crate::rankers::SweepReport;

/// False alarms of a ranker in a span of healthy time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FalseAlarmCount {
    /// Number of incidents that opened.
    pub incidents: usize,
    /// Number of incidents that opened while no other was open.
    pub episodes: usize,
    /// Length of the healthy time, in days of one host.
    pub host_days: f64,
}

impl FalseAlarmCount {
    /// Adds a sweep that stands for `host_days`.
    pub fn push(&mut self, sweep: &SweepReport, host_days: f64) {
        self.incidents += sweep.opened.len();
        self.episodes += usize::from(sweep.starts_episode);
        self.host_days += host_days;
    }
}

/// Length of a sweep's interval in days.
pub fn days_per_sweep(snapshot: &GraphSnapshot) -> f64 {
    snapshot.interval_ms.max(1) as f64 / 86_400_000.0
}
