//! What a cohort learns from: who vouches for a snapshot.

use std::sync::Arc;

use schemas::{GraphSnapshot, HealthySnapshot, Timestamp, VouchedBy};

use crate::{config::LearnConfig, model::Model};

/// How far a cohort has come.
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// What is learned now; older generations are ignored.
    pub generation: i64,
    /// Snapshots learned from in this generation.
    pub learned: i64,
    /// Its model, once there is one.
    pub model: Option<Arc<Model>>,
    config: LearnConfig,
    quiet: u32,
    baseline: Option<Baseline>,
}

/// A time that the operator vouches for.
#[derive(Clone, Copy, Debug)]
struct Baseline {
    until: Timestamp,
    taken: i64,
    wanted: i64,
}

impl Cohort {
    /// A cohort of which nothing is known yet.
    pub fn new(name: &str, generation: i64, config: LearnConfig) -> Cohort {
        Cohort { name: name.to_owned(), generation, learned: 0, model: None, config, quiet: 0, baseline: None }
    }

    /// Snapshots wanted before the first model.
    pub fn wanted(&self) -> i64 {
        i64::from(self.config.snapshots)
    }

    /// Takes a record into account that was read from the healthy topic.
    pub fn recall(&mut self, record: &HealthySnapshot) {
        if record.generation > self.generation {
            (self.generation, self.learned) = (record.generation, 0);
        }
        if record.generation == self.generation && record.vouched_by == VouchedBy::Learning {
            self.learned = self.learned.max(record.learned);
        }
    }

    /// The operator says that the cohort is healthy until then; `snapshots` are expected by then.
    pub fn begin_baseline(&mut self, until: Timestamp, snapshots: i64) {
        self.baseline = Some(Baseline { until, taken: 0, wanted: snapshots.max(1) });
    }

    /// Whether a snapshot may be learned from, and what vouches for it. `is_quiet` tells of one that was scored that nothing alarms and
    /// no incident is open; it is none for one that was not scored.
    pub fn vouch(&mut self, snapshot: &GraphSnapshot, bytes: &[u8], is_quiet: Option<bool>) -> Option<HealthySnapshot> {
        let (vouched_by, learned, wanted) = self.voucher(snapshot, is_quiet)?;
        Some(HealthySnapshot {
            host: snapshot.host.clone(),
            cohort: snapshot.cohort.clone(),
            generation: self.generation,
            vouched_by,
            learned,
            wanted,
            time: snapshot.ended_at,
            snapshot: bytes.to_vec(),
        })
    }

    fn voucher(&mut self, snapshot: &GraphSnapshot, is_quiet: Option<bool>) -> Option<(VouchedBy, i64, i64)> {
        if self.learned < self.wanted() && self.model.is_none() {
            self.learned += 1;
            return Some((VouchedBy::Learning, self.learned, self.wanted()));
        }
        if let Some(baseline) = &mut self.baseline {
            if snapshot.ended_at <= baseline.until && baseline.taken < baseline.wanted {
                baseline.taken += 1;
                return Some((VouchedBy::Operator, baseline.taken, baseline.wanted));
            }
            self.baseline = None;
        }
        if is_quiet != Some(true) || !self.has_low_pressure(snapshot) {
            return None;
        }
        self.quiet += 1;
        self.quiet.is_multiple_of(self.config.keep_one_in.max(1)).then_some((VouchedBy::Gate, 0, 0))
    }

    /// Whether every pressure is under the 99th percentile that was seen in learning.
    fn has_low_pressure(&self, snapshot: &GraphSnapshot) -> bool {
        let limits = self.model.iter().flat_map(|model| &model.release().calibration.pressure_p99);
        limits.into_iter().all(|limit| {
            let column = snapshot.column(&limit.name);
            column.is_none_or(|column| column.values.iter().all(|value| *value <= limit.limit))
        })
    }
}
