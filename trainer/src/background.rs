//! A training run in the background: reads the healthy topic, then trains.

use std::{future::Future, pin::Pin, sync::Arc};

use bus::Bus;
use schemas::{HealthySnapshot, ModelRelease, Timestamp, Topic};
use tokio_util::sync::CancellationToken;

use crate::{
    Progress, TrainerError, TrainerSettings,
    cohort::DueCohort,
    dataset,
    release::{TrainingJob, train_at_low_priority},
    sampler::Sampler,
};

/// A training run that makes progress while [`BackgroundTraining::finished`] is awaited.
pub(crate) struct BackgroundTraining {
    cohort: String,
    outcome: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

type Outcome = Result<ModelRelease, TrainerError>;

impl BackgroundTraining {
    /// Prepares a training run for `due`.
    pub(crate) fn new(
        due: DueCohort,
        settings: TrainerSettings,
        bus: Arc<dyn Bus>,
        shutdown: CancellationToken,
        progress: Progress,
    ) -> BackgroundTraining {
        let cohort = due.cohort.clone();
        let outcome = async move {
            let encoded = sample_healthy(&*bus, &due, settings.training.max_snapshots).await?;
            let max_nodes = settings.training.max_nodes;
            let make_job = move || TrainingJob {
                cohort: due.cohort,
                generation: due.generation,
                profile: settings.features.profile,
                created_at: Timestamp::now(),
                snapshots: dataset::decode(encoded, max_nodes),
                earlier_limits: due.earlier_limits,
            };
            train_at_low_priority(settings.training, make_job, shutdown, progress).await
        };
        BackgroundTraining { cohort, outcome: Box::pin(outcome) }
    }

    /// Waits until the training run ends, removes it, and returns its cohort and outcome. Pends
    /// forever if there is none. Cancel safe.
    pub(crate) async fn finished(training: &mut Option<BackgroundTraining>) -> (String, Outcome) {
        let Some(running) = training else { return std::future::pending().await };
        let outcome = running.outcome.as_mut().await;
        let cohort = training.take().map(|training| training.cohort);
        (cohort.unwrap_or_default(), outcome)
    }
}

/// Reads at most `max_snapshots` encoded snapshots of this cohort and generation, evenly spread
/// over the healthy topic.
async fn sample_healthy(bus: &dyn Bus, due: &DueCohort, max_snapshots: usize) -> Result<Vec<Vec<u8>>, TrainerError> {
    let mut sampler = Sampler::new(max_snapshots);
    bus::for_each(bus, Topic::Healthy, |delivery| {
        let record = schemas::decode::<HealthySnapshot>(&delivery.value).ok();
        if let Some(record) = record.filter(|it| it.cohort == due.cohort && it.generation == due.generation) {
            sampler.push(record.snapshot);
        }
    })
    .await?;
    Ok(sampler.finish())
}
