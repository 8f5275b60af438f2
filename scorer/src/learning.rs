//! Learning state of a cohort: which snapshots become healthy records.

use std::sync::Arc;

use schemas::{GraphSnapshot, HealthSource, HealthySnapshot, Timestamp};

use crate::{config::LearnConfig, model::Model};

/// State of one cohort.
pub struct Cohort {
    /// Name of the cohort.
    pub name: String,
    /// Current generation; records of older generations are ignored.
    pub generation: i64,
    /// Snapshots learned in the learning phase of this generation.
    pub learned: i64,
    /// The current model, once one is loaded.
    pub model: Option<Arc<Model>>,
    config: LearnConfig,
    /// Quiet snapshots that passed the gate.
    n_quiet: u32,
    baseline: Option<OperatorBaseline>,
}

/// How far a cohort had learned in earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LearningProgress {
    /// Its newest generation.
    pub generation: i64,
    /// Snapshots learned in the learning phase of that generation.
    pub learned: i64,
}

impl From<&HealthySnapshot> for LearningProgress {
    fn from(record: &HealthySnapshot) -> LearningProgress {
        let learned = if record.vouched_by == HealthSource::Learning { record.learned } else { 0 };
        LearningProgress { generation: record.generation, learned }
    }
}

/// Condition of a host in a scored snapshot.
#[derive(Clone, Copy, Debug)]
pub struct HostCondition {
    /// Whether there is no alarm and no open incident.
    pub is_quiet: bool,
    /// Whether something fails or waits because of an open incident.
    pub has_impact: bool,
}

/// A period that the operator declared healthy.
#[derive(Clone, Copy, Debug)]
struct OperatorBaseline {
    until: Timestamp,
    include_incidents: bool,
    learned: i64,
    wanted: i64,
}

/// Why a snapshot is admitted, with the progress of the learning phase or of the operator baseline.
struct Admission {
    source: HealthSource,
    learned: i64,
    wanted: i64,
}

impl Cohort {
    /// A cohort at the start of its learning phase.
    pub fn new(name: &str, generation: i64, config: LearnConfig) -> Cohort {
        Cohort { name: name.to_owned(), generation, learned: 0, model: None, config, n_quiet: 0, baseline: None }
    }

    /// Number of snapshots to learn before the first model.
    pub fn wanted(&self) -> i64 {
        i64::from(self.config.snapshots)
    }

    /// Restores the progress of earlier runs. A newer generation than that of the model ends the
    /// model's use.
    pub fn restore(&mut self, progress: LearningProgress) {
        if progress.generation > self.generation {
            self.generation = progress.generation;
            self.learned = 0;
            self.model = None;
        }
        if progress.generation == self.generation {
            self.learned = self.learned.max(progress.learned);
        }
    }

    /// Starts an operator baseline: the cohort is healthy until `until`, with about `n_snapshots`
    /// snapshots in that time. Without `include_incidents`, snapshots are not learned while
    /// something fails or waits because of an incident.
    pub fn start_baseline(&mut self, until: Timestamp, n_snapshots: i64, include_incidents: bool) {
        self.baseline = Some(OperatorBaseline { until, include_incidents, learned: 0, wanted: n_snapshots.max(1) });
    }

    /// Returns a healthy record if the snapshot may be learned from.
    ///
    /// `encoded` holds the bytes of the snapshot. `condition` is that of the host; `None`: the
    /// snapshot was not scored.
    pub fn admit(
        &mut self,
        snapshot: &GraphSnapshot,
        encoded: &[u8],
        condition: Option<HostCondition>,
    ) -> Option<HealthySnapshot> {
        let Admission { source, learned, wanted } = self.check_admission(snapshot, condition)?;
        Some(HealthySnapshot {
            host: snapshot.host.clone(),
            cohort: snapshot.cohort.clone(),
            generation: self.generation,
            vouched_by: source,
            learned,
            wanted,
            time: snapshot.ended_at,
            snapshot: encoded.to_vec(),
        })
    }

    fn check_admission(&mut self, snapshot: &GraphSnapshot, condition: Option<HostCondition>) -> Option<Admission> {
        if self.learned < self.wanted() && self.model.is_none() {
            self.learned += 1;
            let wanted = self.wanted();
            return Some(Admission { source: HealthSource::Learning, learned: self.learned, wanted });
        }
        if let Some(baseline) = &mut self.baseline {
            if snapshot.ended_at <= baseline.until && baseline.learned < baseline.wanted {
                if !baseline.include_incidents && condition.is_some_and(|condition| condition.has_impact) {
                    // The trainer waits until as many as wanted are learned.
                    baseline.wanted = (baseline.wanted - 1).max(baseline.learned);
                    return None;
                }
                baseline.learned += 1;
                let OperatorBaseline { learned, wanted, .. } = *baseline;
                return Some(Admission { source: HealthSource::Operator, learned, wanted });
            }
            self.baseline = None;
        }
        if !condition.is_some_and(|condition| condition.is_quiet) || !self.has_low_pressure(snapshot) {
            return None;
        }
        self.n_quiet += 1;
        let is_kept = self.n_quiet.is_multiple_of(self.config.keep_one_in.max(1));
        is_kept.then_some(Admission { source: HealthSource::Gate, learned: 0, wanted: 0 })
    }

    /// Whether each pressure is at most its 99th percentile in the training data.
    fn has_low_pressure(&self, snapshot: &GraphSnapshot) -> bool {
        let limits = self.model.iter().flat_map(|model| &model.release().calibration.pressure_p99);
        limits.into_iter().all(|limit| {
            let column = snapshot.column(&limit.name);
            column.is_none_or(|column| column.values.iter().all(|value| *value <= limit.limit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why a snapshot at `time_ms` is learned, in a cohort with a baseline of ten seconds.
    fn admit(include_incidents: bool, condition: HostCondition, time_ms: i64) -> Option<HealthSource> {
        let config = LearnConfig { snapshots: 0, keep_one_in: 1 };
        let mut cohort = Cohort::new("c", 0, config);
        cohort.start_baseline(Timestamp(10_000), 10, include_incidents);
        let snapshot = GraphSnapshot { ended_at: Timestamp(time_ms), ..GraphSnapshot::default() };
        cohort.admit(&snapshot, &[], Some(condition)).map(|healthy| healthy.vouched_by)
    }

    #[test]
    fn a_baseline_learns_during_alarms_but_not_while_something_fails_unless_it_includes_incidents() {
        let alarm = HostCondition { is_quiet: false, has_impact: false };
        let failure = HostCondition { is_quiet: false, has_impact: true };
        assert_eq!(admit(false, alarm, 5_000), Some(HealthSource::Operator));
        assert_eq!(admit(false, failure, 5_000), None);
        assert_eq!(admit(true, failure, 5_000), Some(HealthSource::Operator));
        assert_eq!(admit(true, failure, 10_001), None, "the baseline is over");
    }
    #[test]
    fn a_baseline_is_complete_although_some_snapshots_are_not_learned() {
        let mut cohort = Cohort::new("c", 0, LearnConfig { snapshots: 0, keep_one_in: 1 });
        cohort.start_baseline(Timestamp(10_000), 3, false);
        let mut admit = |has_impact: bool| {
            let condition = HostCondition { is_quiet: false, has_impact };
            let healthy = cohort.admit(&GraphSnapshot::default(), &[], Some(condition));
            healthy.map(|healthy| (healthy.learned, healthy.wanted))
        };
        assert_eq!([admit(false), admit(true), admit(false)], [Some((1, 3)), None, Some((2, 2))]);
    }
}
