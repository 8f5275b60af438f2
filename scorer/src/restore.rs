//! Reads from the healthy topic how far cohorts learned in earlier runs.

use std::{collections::BTreeMap, sync::Arc};

use bus::{Bus, BusError};
use schemas::{HealthySnapshot, Timestamp, Topic};

use crate::learning::LearningProgress;

/// Returns the progress of each cohort, by name. Reads the whole topic, which retains a week.
///
/// # Errors
/// If the topic cannot be read.
pub async fn read_progress(bus: Arc<dyn Bus>, now: Timestamp) -> Result<BTreeMap<String, LearningProgress>, BusError> {
    let mut cohorts = BTreeMap::<String, LearningProgress>::new();
    bus::for_each(bus.as_ref(), Topic::Healthy, |delivery| {
        let record = schemas::decode::<HealthySnapshot>(&delivery.value).ok();
        // The trainer moves invalid records to the dead letters.
        if let Some(record) = record.filter(|record| record.check(&delivery.key, now).is_ok()) {
            let progress = LearningProgress::from(&record);
            let newest = cohorts.entry(record.cohort).or_default();
            *newest = (*newest).max(progress);
        }
    })
    .await?;
    Ok(cohorts)
}
