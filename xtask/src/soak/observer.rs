//! Samples of memory and progress of `up` during a run.

use std::time::{Duration, Instant};

use super::up::Up;

/// Takes samples of a process.
pub struct Observer {
    started_at: Instant,
    warm_up: Duration,
    snapshot_at: Instant,
    observed: Observed,
}

/// What the samples show.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Snapshots that were scored.
    pub snapshots: u64,
    /// Longest time without a new snapshot.
    pub longest_gap: Duration,
    /// Largest resident memory in the warm-up, in megabytes; `None` without a sample.
    pub rss_mb_in_warm_up: Option<f64>,
    /// Largest resident memory after the warm-up, in megabytes; `None` without a sample.
    pub rss_mb_after: Option<f64>,
    /// Samples of `/metrics` that failed.
    pub failed_samples: u64,
}

impl Observer {
    /// An observer whose warm-up starts now.
    pub fn start(warm_up: Duration) -> Observer {
        let now = Instant::now();
        Observer { started_at: now, warm_up, snapshot_at: now, observed: Observed::default() }
    }

    /// Reads memory and the number of scored snapshots.
    ///
    /// # Errors
    /// If `up` has ended.
    pub fn sample(&mut self, up: &Up) -> anyhow::Result<()> {
        let rss_mb = up.rss_mb()?;
        let observed = &mut self.observed;
        let is_warm_up = self.started_at.elapsed() < self.warm_up;
        let largest = if is_warm_up { &mut observed.rss_mb_in_warm_up } else { &mut observed.rss_mb_after };
        *largest = Some(largest.map_or(rss_mb, |largest| largest.max(rss_mb)));
        let Some(snapshots) = up.scored_snapshots() else {
            observed.failed_samples += 1;
            return Ok(());
        };
        observed.longest_gap = observed.longest_gap.max(self.snapshot_at.elapsed());
        if snapshots > observed.snapshots {
            observed.snapshots = snapshots;
            self.snapshot_at = Instant::now();
        }
        Ok(())
    }

    /// Ends the observation.
    pub fn end(self) -> Observed {
        self.observed
    }
}
