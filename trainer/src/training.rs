//! One training under way: from the topic to a release.

use std::{future::Future, pin::Pin, sync::Arc};

use bus::Bus;
use schemas::{HealthySnapshot, ModelRelease, Timestamp, Topic};
use tokio_util::sync::CancellationToken;

use crate::{
    Progress, TrainerError, TrainerSettings,
    cohort::Due,
    dataset::{self, Sampler},
    release::{Lesson, train_apart},
};

/// A training under way.
pub(crate) struct Training {
    cohort: String,
    outcome: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

type Outcome = Result<ModelRelease, TrainerError>;

impl Training {
    /// Reads what is to be learned from and trains; it goes on while [`Training::finished`] is awaited.
    pub(crate) fn begin(
        due: Due,
        settings: TrainerSettings,
        bus: Arc<dyn Bus>,
        stop: CancellationToken,
        progress: Progress,
    ) -> Training {
        let cohort = due.cohort.clone();
        let outcome = async move {
            let encoded = healthy_snapshots(&*bus, &due, settings.training.max_snapshots).await?;
            let (max_nodes, profile) = (settings.training.max_nodes, settings.features.profile);
            let make_lesson = move || Lesson {
                cohort: due.cohort,
                generation: due.generation,
                profile,
                created_at: Timestamp::now(),
                snapshots: dataset::decode(encoded, max_nodes),
                earlier_limits: due.earlier_limits,
            };
            train_apart(settings.training, make_lesson, stop, progress).await
        };
        Training { cohort, outcome: Box::pin(outcome) }
    }

    /// Waits for the training, if there is one, and takes it away; for ever, if there is none. May be dropped and
    /// called again.
    pub(crate) async fn finished(training: &mut Option<Training>) -> (String, Outcome) {
        let Some(under_way) = training else { return std::future::pending().await };
        let outcome = under_way.outcome.as_mut().await;
        let cohort = training.take().map(|training| training.cohort);
        (cohort.unwrap_or_default(), outcome)
    }
}

/// At most `most` encoded snapshots of a cohort's generation, spread over what the topic holds.
async fn healthy_snapshots(bus: &dyn Bus, due: &Due, most: usize) -> Result<Vec<Vec<u8>>, TrainerError> {
    let mut sampler = Sampler::new(most);
    bus::for_each(bus, Topic::Healthy, |delivery| {
        let record = schemas::decode::<HealthySnapshot>(&delivery.value).ok();
        if let Some(record) = record.filter(|it| it.cohort == due.cohort && it.generation == due.generation) {
            sampler.push(record.snapshot);
        }
    })
    .await?;
    Ok(sampler.finish())
}
