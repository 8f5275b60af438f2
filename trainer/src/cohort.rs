//! State of each cohort, and which cohort needs a new model. Records and times are passed in; there
//! is no I/O.

use std::{collections::BTreeMap, time::Duration};

use graph::{Profile, RECIPE_VERSION};
use schemas::{ColumnLimit, HealthSource, HealthySnapshot, ModelRelease, Timestamp};
use tokio::time::Instant;

/// Delay before the next attempt after training failed.
const RETRY_DELAY: Duration = Duration::from_secs(60);

/// State of all cohorts.
#[derive(Debug)]
pub(crate) struct Cohorts {
    profile: Profile,
    retrain: Duration,
    by_name: BTreeMap<String, Cohort>,
}

/// A cohort that needs a new model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DueCohort {
    pub(crate) cohort: String,
    pub(crate) generation: i64,
    /// Pressure limits of the current release of this generation, if there is one.
    pub(crate) earlier_limits: Vec<ColumnLimit>,
}

#[derive(Debug, Default)]
struct Cohort {
    generation: i64,
    learned: i64,
    wanted: i64,
    newest_healthy: Timestamp,
    release: Option<CurrentRelease>,
    not_before: Option<Instant>,
    /// When training last ended, successful or not; `None`: never.
    trained_at: Option<Instant>,
}

/// The latest release of a cohort's generation.
#[derive(Debug)]
struct CurrentRelease {
    /// Whether profile and recipe are those of this trainer.
    is_compatible: bool,
    /// Time of the newest snapshot that the model was trained on.
    until: Timestamp,
    limits: Vec<ColumnLimit>,
}

impl Cohorts {
    pub(crate) fn new(profile: Profile, retrain: Duration) -> Self {
        Cohorts { profile, retrain, by_name: BTreeMap::new() }
    }

    /// Records a published release that is `age` old.
    pub(crate) fn record_release(&mut self, release: &ModelRelease, age: Duration, now: Instant) {
        let cohort = self.by_name.entry(release.cohort.clone()).or_default();
        cohort.advance_generation(release.generation);
        if release.generation < cohort.generation {
            return;
        }
        let is_compatible = release.profile == self.profile.as_str() && release.recipe == RECIPE_VERSION;
        cohort.release = Some(CurrentRelease {
            is_compatible,
            until: release.manifest.until,
            limits: release.calibration.pressure_p99.clone(),
        });
        cohort.not_before = is_compatible.then(|| now + self.retrain.saturating_sub(age));
        cohort.trained_at = now.checked_sub(age);
    }

    /// Records a healthy snapshot. Returns the learning progress of its cohort, as snapshots
    /// learned and wanted, if this record advances it.
    pub(crate) fn record_healthy(&mut self, record: &HealthySnapshot) -> Option<(usize, usize)> {
        let cohort = self.by_name.entry(record.cohort.clone()).or_default();
        cohort.advance_generation(record.generation);
        if record.generation < cohort.generation {
            return None;
        }
        cohort.newest_healthy = cohort.newest_healthy.max(record.time);
        // A baseline that an operator declares takes effect when it is complete, not hours later.
        if record.vouched_by == HealthSource::Operator {
            if record.learned >= record.wanted {
                cohort.not_before = None;
            }
            return None;
        }
        // Records of different hosts may arrive out of order.
        if record.wanted <= 0 || record.learned <= cohort.learned {
            return None;
        }
        cohort.learned = record.learned;
        cohort.wanted = record.wanted;
        let to_count = |n: i64| usize::try_from(n).unwrap_or(0);
        Some((to_count(record.learned), to_count(record.wanted)))
    }

    /// The cohort that needs a model at `now` and was trained least recently.
    pub(crate) fn next_due(&self, now: Instant) -> Option<DueCohort> {
        let due = self.by_name.iter().filter(|(_, cohort)| cohort.due_at(now).is_some_and(|at| at <= now));
        let (name, cohort) = due.min_by_key(|(_, cohort)| cohort.trained_at)?;
        let limits = cohort.release.as_ref().map(|release| release.limits.clone());
        Some(DueCohort {
            cohort: name.clone(),
            generation: cohort.generation,
            earlier_limits: limits.unwrap_or_default(),
        })
    }

    /// When the next cohort needs a model, assuming that no further records arrive.
    pub(crate) fn next_due_at(&self, now: Instant) -> Option<Instant> {
        self.by_name.values().filter_map(|cohort| cohort.due_at(now)).min()
    }

    /// Delays the next attempt to train this cohort.
    pub(crate) fn record_failure(&mut self, cohort: &str, now: Instant) {
        if let Some(cohort) = self.by_name.get_mut(cohort) {
            cohort.not_before = Some(now + RETRY_DELAY.min(self.retrain));
            cohort.trained_at = Some(now);
        }
    }
}

impl Cohort {
    /// Resets the cohort if `generation` is newer.
    fn advance_generation(&mut self, generation: i64) {
        if generation > self.generation {
            *self = Cohort { generation, trained_at: self.trained_at, ..Cohort::default() };
        }
    }

    /// When the cohort needs a model; `None`: not before further records arrive.
    fn due_at(&self, now: Instant) -> Option<Instant> {
        let is_learning_complete = self.wanted > 0 && self.learned >= self.wanted;
        let is_due = match &self.release {
            None => is_learning_complete,
            // The scorer refuses a release of another recipe, so it counts as none.
            Some(release) if !release.is_compatible && self.newest_healthy > Timestamp(0) => true,
            Some(release) => self.newest_healthy > release.until,
        };
        is_due.then(|| self.not_before.unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{Calibration, Manifest};

    const HOUR: Duration = Duration::from_secs(3600);

    fn record(generation: i64, learned: i64, time: i64) -> HealthySnapshot {
        HealthySnapshot {
            host: "a".to_owned(),
            cohort: "web".to_owned(),
            generation,
            vouched_by: if learned > 0 { HealthSource::Learning } else { HealthSource::Gate },
            learned,
            wanted: if learned > 0 { 3 } else { 0 },
            time: Timestamp(time),
            snapshot: Vec::new(),
        }
    }

    fn release(generation: i64, until: i64) -> ModelRelease {
        ModelRelease {
            cohort: "web".to_owned(),
            generation,
            created_at: Timestamp(until),
            profile: "default".to_owned(),
            recipe: RECIPE_VERSION,
            columns: Vec::new(),
            features: 2,
            sha256: String::new(),
            onnx: Vec::new(),
            manifest: Manifest { until: Timestamp(until), ..Manifest::default() },
            calibration: Calibration {
                pressure_p99: vec![ColumnLimit { name: "psi_cpu_some".to_owned(), limit: generation as f32 }],
                ..Calibration::default()
            },
        }
    }

    #[test]
    fn the_first_model_is_due_once_learning_is_complete_in_any_order_of_records() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        assert_eq!(cohorts.record_healthy(&record(1, 2, 20)), Some((2, 3)));
        assert_eq!(cohorts.record_healthy(&record(1, 1, 10)), None, "a late record");
        assert_eq!((cohorts.next_due(now), cohorts.next_due_at(now)), (None, None));
        assert_eq!(cohorts.record_healthy(&record(0, 3, 30)), None, "an older generation");
        assert_eq!(cohorts.next_due(now), None);
        assert_eq!(cohorts.record_healthy(&record(1, 3, 30)), Some((3, 3)));
        let due = cohorts.next_due(now).expect("a cohort");
        assert_eq!((due.cohort.as_str(), due.generation, due.earlier_limits.len()), ("web", 1, 0));
    }

    #[test]
    fn a_complete_operator_baseline_makes_a_model_due_immediately() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.record_healthy(&record(1, 3, 30));
        cohorts.record_release(&release(1, 30), Duration::ZERO, now);
        let operator_record =
            |learned| HealthySnapshot { vouched_by: HealthSource::Operator, ..record(1, learned, 40) };
        cohorts.record_healthy(&operator_record(2));
        assert_eq!(cohorts.next_due(now), None, "the baseline is not complete");
        cohorts.record_healthy(&operator_record(3));
        assert_eq!(cohorts.next_due(now).expect("a cohort").cohort, "web");
    }

    #[test]
    fn retraining_is_due_after_the_interval_if_there_is_new_data_and_keeps_the_limits() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.record_healthy(&record(1, 3, 30));
        cohorts.record_release(&release(1, 30), HOUR / 4, now);
        assert_eq!(cohorts.next_due_at(now), None, "no new data");
        cohorts.record_healthy(&record(1, 0, 40));
        let at = now + HOUR / 4 * 3;
        assert_eq!((cohorts.next_due(now), cohorts.next_due_at(now)), (None, Some(at)));
        let due = cohorts.next_due(at).expect("a cohort");
        assert_eq!(due.earlier_limits[0].limit, 1.0);
        cohorts.record_release(&release(1, 40), Duration::ZERO, at);
        assert_eq!(cohorts.next_due(at + 2 * HOUR), None);
    }

    #[test]
    fn a_new_generation_resets_learning_and_limits() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.record_healthy(&record(1, 3, 30));
        cohorts.record_release(&release(1, 30), Duration::ZERO, now);
        cohorts.record_healthy(&record(2, 1, 50));
        assert_eq!(cohorts.next_due_at(now), None);
        cohorts.record_healthy(&record(2, 3, 60));
        assert_eq!(cohorts.next_due(now).map(|due| (due.generation, due.earlier_limits)), Some((2, Vec::new())));
    }

    #[test]
    fn due_cohorts_are_trained_in_turn() {
        let mut now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        let mut trained = Vec::new();
        for time in 1..=3 {
            for name in ["a", "b", "c"] {
                cohorts.record_healthy(&HealthySnapshot { cohort: name.to_owned(), ..record(0, 3, time) });
            }
            // Training takes so long that the first cohort is due again before the last is trained.
            for _ in 0..2 {
                let due = cohorts.next_due(now).expect("a cohort").cohort;
                now += 2 * HOUR;
                let release = ModelRelease { cohort: due.clone(), ..release(0, time - 1) };
                cohorts.record_release(&release, Duration::ZERO, now);
                now += HOUR;
                trained.push(due);
            }
        }
        assert_eq!(trained, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn a_model_of_an_older_generation_is_ignored() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.record_healthy(&record(2, 3, 60));
        cohorts.record_release(&release(1, 30), Duration::ZERO, now);
        assert_eq!(cohorts.next_due(now).map(|due| (due.generation, due.earlier_limits)), Some((2, Vec::new())));
    }

    #[test]
    fn a_model_of_another_profile_is_replaced_immediately_and_a_failure_is_retried_later() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Classic, HOUR);
        cohorts.record_release(&release(1, 30), Duration::ZERO, now);
        assert_eq!(cohorts.next_due(now), None, "no healthy data");
        cohorts.record_healthy(&record(1, 3, 30));
        assert!(cohorts.next_due(now).is_some());
        cohorts.record_failure("web", now);
        assert_eq!((cohorts.next_due(now), cohorts.next_due_at(now)), (None, Some(now + RETRY_DELAY)));
        assert!(cohorts.next_due(now + RETRY_DELAY).is_some());
    }
}
