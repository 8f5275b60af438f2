//! A training run in the background: reads a sample of the healthy topic, then trains.

use std::{future::Future, pin::Pin, sync::Arc};

use bus::Bus;
use schemas::{ModelRelease, Timestamp};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    Progress, TrainerError, TrainerSettings,
    cohort::DueCohort,
    dataset,
    healthy_index::HealthyIndex,
    release::{TrainingJob, train_at_low_priority},
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
        index: Arc<Mutex<HealthyIndex>>,
        shutdown: CancellationToken,
        progress: Progress,
    ) -> BackgroundTraining {
        let cohort = due.cohort.clone();
        let outcome = async move {
            let max_nodes = settings.training.max_nodes;
            let mut index = index.lock_owned().await;
            index.update(&*bus, Timestamp::now(), |_| {}).await?;
            let encoded = index.read_sample(&*bus, &due, max_nodes).await?;
            drop(index);
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
