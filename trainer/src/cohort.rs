//! What is known of each cohort, and which of them needs a model now. Pure: records and times go in.

use std::{collections::BTreeMap, time::Duration};

use graph::{Profile, RECIPE_VERSION};
use schemas::{ColumnLimit, HealthySnapshot, ModelRelease, Timestamp, VouchedBy};
use tokio::time::Instant;

/// After a training that failed, the next try waits for this long.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// All cohorts.
#[derive(Debug)]
pub(crate) struct Cohorts {
    profile: Profile,
    retrain: Duration,
    by_name: BTreeMap<String, Cohort>,
}

/// What is to be trained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) cohort: String,
    pub(crate) generation: i64,
    pub(crate) earlier_limits: Vec<ColumnLimit>,
}

#[derive(Debug, Default)]
struct Cohort {
    generation: i64,
    learned: i64,
    wanted: i64,
    newest: Timestamp,
    release: Option<Known>,
    not_before: Option<Instant>,
}

/// What matters of the generation's release.
#[derive(Debug)]
struct Known {
    is_current: bool,
    until: Timestamp,
    limits: Vec<ColumnLimit>,
}

impl Cohorts {
    pub(crate) fn new(profile: Profile, retrain: Duration) -> Self {
        Cohorts { profile, retrain, by_name: BTreeMap::new() }
    }

    /// Takes a release in, made `age` ago.
    pub(crate) fn released(&mut self, release: &ModelRelease, age: Duration, now: Instant) {
        let cohort = self.by_name.entry(release.cohort.clone()).or_default();
        cohort.enter(release.generation);
        if release.generation < cohort.generation {
            return;
        }
        let is_current = release.profile == self.profile.as_str() && release.recipe == RECIPE_VERSION;
        cohort.release =
            Some(Known { is_current, until: release.manifest.until, limits: release.calibration.pressure_p99.clone() });
        cohort.not_before = is_current.then(|| now + self.retrain.saturating_sub(age));
    }

    /// Takes a healthy record in. Says how many its cohort has learned of how many it wants, if this one brings it
    /// further.
    pub(crate) fn healthy(&mut self, record: &HealthySnapshot) -> Option<(usize, usize)> {
        let cohort = self.by_name.entry(record.cohort.clone()).or_default();
        cohort.enter(record.generation);
        if record.generation < cohort.generation {
            return None;
        }
        cohort.newest = cohort.newest.max(record.time);
        // What an operator vouched for is to count soon, not in hours.
        if record.vouched_by == VouchedBy::Operator {
            if record.learned >= record.wanted {
                cohort.not_before = None;
            }
            return None;
        }
        // Records of several hosts may come out of order.
        if record.wanted <= 0 || record.learned <= cohort.learned {
            return None;
        }
        (cohort.learned, cohort.wanted) = (record.learned, record.wanted);
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        Some((count(record.learned), count(record.wanted)))
    }

    /// The first cohort that needs a model now.
    pub(crate) fn due(&self, now: Instant) -> Option<Due> {
        let (name, cohort) = self.by_name.iter().find(|(_, cohort)| cohort.due_at(now).is_some_and(|at| at <= now))?;
        let limits = cohort.release.as_ref().map(|release| release.limits.clone());
        Some(Due { cohort: name.clone(), generation: cohort.generation, earlier_limits: limits.unwrap_or_default() })
    }

    /// When the next cohort will need a model, if nothing new comes.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.by_name.values().filter_map(|cohort| cohort.due_at(now)).min()
    }

    /// Training this cohort has failed.
    pub(crate) fn failed(&mut self, cohort: &str, now: Instant) {
        if let Some(cohort) = self.by_name.get_mut(cohort) {
            cohort.not_before = Some(now + TRY_AGAIN.min(self.retrain));
        }
    }
}

impl Cohort {
    /// A new generation begins from nothing.
    fn enter(&mut self, generation: i64) {
        if generation > self.generation {
            *self = Cohort { generation, ..Cohort::default() };
        }
    }

    fn due_at(&self, now: Instant) -> Option<Instant> {
        let has_learned = self.wanted > 0 && self.learned >= self.wanted;
        match &self.release {
            None if has_learned => Some(self.not_before.unwrap_or(now)),
            None => None,
            // A release that the scorer will refuse, or of another profile, is as good as none.
            Some(release) if !release.is_current && self.newest > Timestamp(0) => Some(self.not_before.unwrap_or(now)),
            Some(release) if self.newest > release.until => Some(self.not_before.unwrap_or(now)),
            Some(_) => None,
        }
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
            vouched_by: if learned > 0 { VouchedBy::Learning } else { VouchedBy::Gate },
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
    fn the_first_model_of_a_generation_is_due_once_enough_is_learned_in_whatever_order() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        assert_eq!(cohorts.healthy(&record(1, 2, 20)), Some((2, 3)));
        assert_eq!(cohorts.healthy(&record(1, 1, 10)), None, "it came late");
        assert_eq!((cohorts.due(now), cohorts.next_due(now)), (None, None));
        assert_eq!(cohorts.healthy(&record(0, 3, 30)), None, "of an older generation");
        assert_eq!(cohorts.due(now), None);
        assert_eq!(cohorts.healthy(&record(1, 3, 30)), Some((3, 3)));
        let due = cohorts.due(now).expect("a cohort");
        assert_eq!((due.cohort.as_str(), due.generation, due.earlier_limits.len()), ("web", 1, 0));
    }

    #[test]
    fn the_end_of_an_operators_baseline_makes_a_model_due_at_once() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.healthy(&record(1, 3, 30));
        cohorts.released(&release(1, 30), Duration::ZERO, now);
        let vouched = |learned| HealthySnapshot { vouched_by: VouchedBy::Operator, ..record(1, learned, 40) };
        cohorts.healthy(&vouched(2));
        assert_eq!(cohorts.due(now), None, "it goes on");
        cohorts.healthy(&vouched(3));
        assert_eq!(cohorts.due(now).expect("a cohort").cohort, "web");
    }

    #[test]
    fn the_next_model_is_due_after_a_while_if_there_is_something_new_and_keeps_the_limits() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.healthy(&record(1, 3, 30));
        cohorts.released(&release(1, 30), HOUR / 4, now);
        assert_eq!(cohorts.next_due(now), None, "nothing new");
        cohorts.healthy(&record(1, 0, 40));
        let at = now + HOUR / 4 * 3;
        assert_eq!((cohorts.due(now), cohorts.next_due(now)), (None, Some(at)));
        let due = cohorts.due(at).expect("a cohort");
        assert_eq!(due.earlier_limits[0].limit, 1.0);
        cohorts.released(&release(1, 40), Duration::ZERO, at);
        assert_eq!(cohorts.due(at + 2 * HOUR), None);
    }

    #[test]
    fn a_new_generation_forgets_what_was_learned_and_the_limits() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.healthy(&record(1, 3, 30));
        cohorts.released(&release(1, 30), Duration::ZERO, now);
        cohorts.healthy(&record(2, 1, 50));
        assert_eq!(cohorts.next_due(now), None);
        cohorts.healthy(&record(2, 3, 60));
        assert_eq!(cohorts.due(now).map(|due| (due.generation, due.earlier_limits)), Some((2, Vec::new())));
    }

    #[test]
    fn a_model_of_an_older_generation_changes_nothing() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Default, HOUR);
        cohorts.healthy(&record(2, 3, 60));
        cohorts.released(&release(1, 30), Duration::ZERO, now);
        assert_eq!(cohorts.due(now).map(|due| (due.generation, due.earlier_limits)), Some((2, Vec::new())));
    }

    #[test]
    fn a_model_of_another_profile_is_replaced_at_once_and_a_failure_is_tried_again_later() {
        let now = Instant::now();
        let mut cohorts = Cohorts::new(Profile::Classic, HOUR);
        cohorts.released(&release(1, 30), Duration::ZERO, now);
        assert_eq!(cohorts.due(now), None, "nothing is left to learn from");
        cohorts.healthy(&record(1, 3, 30));
        assert!(cohorts.due(now).is_some());
        cohorts.failed("web", now);
        assert_eq!((cohorts.due(now), cohorts.next_due(now)), (None, Some(now + TRY_AGAIN)));
        assert!(cohorts.due(now + TRY_AGAIN).is_some());
    }
}
