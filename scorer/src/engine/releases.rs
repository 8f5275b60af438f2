//! Model releases and generations of learning.

use std::{collections::BTreeMap, sync::Arc};

use bus::{Delivery, Record};
use schemas::{ModelRelease, Timestamp};

use super::{Engine, RejectedRecord};
use crate::{learning::LearningProgress, model::Model};

impl Engine {
    /// Begins the restoration of earlier runs. Until it ends, cohorts without a model do not learn:
    /// how far they have learned is not known. With `config.relearn`, the models of earlier runs
    /// are superseded.
    pub fn begin_restoring(&mut self) {
        self.is_restoring = true;
    }

    /// Ends the restoration of earlier runs, with the progress of each cohort. With
    /// `config.relearn`, it is superseded, and later records belong to the new generation.
    pub fn finish_restoring(&mut self, progress: BTreeMap<String, LearningProgress>) {
        for (cohort, progress) in progress {
            if !self.supersede_for_relearn(&cohort, progress.generation) {
                self.cohort_or_new(&cohort).restore(progress);
            }
        }
        self.is_restoring = false;
    }

    /// Whether any cohort has a model.
    pub fn has_model(&self) -> bool {
        self.cohorts.values().any(|cohort| cohort.model.is_some())
    }

    /// Loads a model release. Returns the dead letter of an invalid one; the current model of its
    /// cohort stays in use. A release of an older generation is ignored.
    pub fn handle_release(&mut self, delivery: &Delivery, now: Timestamp) -> Option<Record> {
        if delivery.is_tombstone() {
            return None;
        }
        let reason = self.load_release(delivery, now).err()?.to_string();
        tracing::warn!(cohort = delivery.key, reason, "model release rejected; current model stays in use");
        self.metrics.releases_rejected += 1;
        Some(delivery.to_dead_letter(&reason))
    }

    fn load_release(&mut self, delivery: &Delivery, now: Timestamp) -> Result<(), RejectedRecord> {
        let release: ModelRelease = schemas::decode(&delivery.value)?;
        release.check(&delivery.key, now)?;
        if self.supersede_for_relearn(&release.cohort, release.generation)
            || self.cohorts.get(&release.cohort).is_some_and(|cohort| release.generation < cohort.generation)
        {
            return Ok(());
        }
        let model = Model::load(release)?;
        let release = model.release();
        let (cohort, name, profile) = (&release.cohort, release.short_name(), &release.profile);
        tracing::info!(cohort, model = name, profile, "model loaded");
        self.metrics.releases_loaded += 1;
        let cohort = self.cohort_or_new(&model.release().cohort);
        cohort.generation = model.release().generation;
        cohort.model = Some(Arc::new(model));
        Ok(())
    }

    /// While earlier runs are restored for a relearn, gives the cohort a generation above that of
    /// its record, even if the record is from a program with a fast clock. Returns whether it did.
    fn supersede_for_relearn(&mut self, cohort: &str, generation: i64) -> bool {
        if !self.is_restoring || self.relearn_generation.is_none() {
            return false;
        }
        let cohort = self.cohort_or_new(cohort);
        cohort.generation = cohort.generation.max(generation.saturating_add(1));
        true
    }
}
