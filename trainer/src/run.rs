//! From topic to topic.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, CloudEvent, Delivery, Positions, Record};
use schemas::{GraphSnapshot, HealthySnapshot, ModelRelease, Timestamp, Topic};
use service::{Backoff, Retry, report::chain};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Progress, TrainerError, TrainerSettings, cohort::Cohorts, training::Training};

/// The name under which the trainer's place in the healthy topic is kept.
pub const GROUP: &str = "detective-trainer";
const BATCH: usize = 64;
/// Delay between two attempts while the bus is unavailable.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Makes a model of each cohort once it has learned enough, and again every `training.retrain`, until `shutdown`.
///
/// The first model of a generation is made when a healthy record says that the cohort has learned as many as it wants.
/// Which cohorts have one is read from the topics, so a restart neither forgets nor repeats.
///
/// # Errors
/// If the bus can't be read at the start, or stops. What else it refuses later is reported and waited out.
pub async fn run(
    settings: TrainerSettings,
    bus: Arc<dyn Bus>,
    shutdown: CancellationToken,
    progress: Progress,
) -> Result<(), TrainerError> {
    // A training that nobody waits for any more ends by itself.
    let stop = shutdown.child_token();
    let _stops = stop.clone().drop_guard();
    let cohorts = Cohorts::new(settings.features.profile, settings.training.retrain);
    let mut trainer = Trainer { settings, bus, shutdown, progress, cohorts, reading: retry("read healthy snapshots") };
    trainer.read_what_is_there().await?;
    let mut subscription = trainer.bus.subscribe(GROUP, &[Topic::Healthy]).await?;
    let mut training: Option<Training> = None;
    loop {
        let now = Instant::now();
        if training.is_none()
            && let Some(due) = trainer.cohorts.due(now)
        {
            let (settings, bus) = (trainer.settings.clone(), trainer.bus.clone());
            training = Some(Training::begin(due, settings, bus, stop.clone(), trainer.progress.clone()));
        }
        let wake = if training.is_some() { None } else { trainer.cohorts.next_due(now) };
        tokio::select! {
            () = trainer.shutdown.cancelled() => return Ok(()),
            batch = subscription.next(BATCH) => trainer.take_in(batch).await?,
            () = until(wake) => {}
            (cohort, outcome) = Training::finished(&mut training) => trainer.settle(&cohort, outcome).await?,
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

struct Trainer {
    settings: TrainerSettings,
    bus: Arc<dyn Bus>,
    shutdown: CancellationToken,
    progress: Progress,
    cohorts: Cohorts,
    reading: Retry<BusError>,
}

impl Trainer {
    /// Learns from the topics which cohorts there are and which have a model.
    async fn read_what_is_there(&mut self) -> Result<(), TrainerError> {
        let (now, wall) = (Instant::now(), Timestamp::now());
        let cohorts = &mut self.cohorts;
        bus::for_each(&*self.bus, Topic::Models, |delivery| {
            // What can't be read is a release that this version does not know: another is made.
            if let Ok(release) = schemas::decode::<ModelRelease>(&delivery.value) {
                let age = u64::try_from(wall.millis_since(release.created_at)).unwrap_or(0);
                cohorts.released(&release, Duration::from_millis(age), now);
            }
        })
        .await?;
        bus::for_each(&*self.bus, Topic::Healthy, |delivery| {
            if let Ok(record) = schemas::decode::<HealthySnapshot>(&delivery.value) {
                cohorts.healthy(&record);
            }
        })
        .await?;
        Ok(())
    }

    async fn take_in(&mut self, batch: Result<Vec<Delivery>, BusError>) -> Result<(), TrainerError> {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if is_final(&error) => return Err(error.into()),
            Err(error) => {
                self.reading.failed(&error, error.hint());
                self.shutdown.run_until_cancelled(self.reading.wait()).await;
                return Ok(());
            }
        };
        self.reading.succeeded();
        let positions = Positions::after(GROUP, &batch);
        let mut letters = Vec::new();
        for delivery in batch {
            match read(&delivery.value) {
                Ok(record) => self.tell_learning(&record),
                Err(why) => {
                    let Delivery { topic, partition, offset, .. } = &delivery;
                    warn!(%topic, partition, offset, why, "a record is set aside");
                    letters.push(delivery.dead_letter(&why));
                }
            }
        }
        match self.publish(letters, Some(positions.clone())).await {
            // It came with the bus's consent, and only what says why makes it too large.
            Err(TrainerError::Bus(error)) if error.is_too_large() => {
                warn!(error = %chain(&error), "records that cannot be read are dropped");
                self.publish(Vec::new(), Some(positions)).await
            }
            outcome => outcome,
        }
    }

    fn tell_learning(&mut self, record: &HealthySnapshot) {
        if let Some((learned, wanted)) = self.cohorts.healthy(record) {
            self.progress.learning(&record.cohort, learned, wanted);
        }
    }

    async fn settle(&mut self, cohort: &str, outcome: Result<ModelRelease, TrainerError>) -> Result<(), TrainerError> {
        match self.release(outcome).await {
            Ok(release) => {
                let (model, generation) = (release.short_name(), release.generation);
                info!(cohort, model, generation, "a model is published");
                self.cohorts.released(&release, Duration::ZERO, Instant::now());
                self.write_onnx(&release);
            }
            Err(TrainerError::Interrupted) => {}
            Err(TrainerError::Bus(error)) if is_final(&error) => return Err(error.into()),
            Err(error) => {
                warn!(cohort, error = %chain(&error), hint = error.hint(), "no model could be made");
                self.cohorts.failed(cohort, Instant::now());
            }
        }
        Ok(())
    }

    async fn release(&self, outcome: Result<ModelRelease, TrainerError>) -> Result<ModelRelease, TrainerError> {
        let release = outcome?;
        self.publish(vec![record_of(&release)?], None).await?;
        Ok(release)
    }

    fn write_onnx(&self, release: &ModelRelease) {
        let Some(path) = &self.settings.training.write_onnx else { return };
        if let Err(source) = std::fs::write(path, &release.onnx) {
            let error = TrainerError::Onnx { path: path.clone(), source };
            warn!(error = %chain(&error), hint = error.hint(), "the model is published but not written to the file");
        }
    }

    /// Publishes, again and again while a later try may succeed and until `shutdown` comes.
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), TrainerError> {
        let mut retry = retry("publish records");
        while let Err(error) = self.bus.publish(records.clone(), positions.clone()).await {
            if is_final(&error) || error.is_too_large() {
                return Err(error.into());
            }
            retry.failed(&error, error.hint());
            if self.shutdown.run_until_cancelled(retry.wait()).await.is_none() {
                return Ok(());
            }
        }
        retry.succeeded();
        Ok(())
    }
}

fn retry(operation: &'static str) -> Retry<BusError> {
    Retry::with_backoff(operation, Backoff::new(RETRY_DELAY, RETRY_DELAY))
}

/// Whether trying again is of no use.
fn is_final(error: &BusError) -> bool {
    matches!(error, BusError::Stopped | BusError::Thread { .. } | BusError::UnknownPartition { .. })
}

/// The record, if it and the snapshot in it are what they should be.
fn read(value: &[u8]) -> Result<HealthySnapshot, String> {
    let record: HealthySnapshot = schemas::decode(value).map_err(|error| error.to_string())?;
    let snapshot: GraphSnapshot = schemas::decode(&record.snapshot).map_err(|error| error.to_string())?;
    graph::HostGraph::new(snapshot).map_err(|error| error.to_string())?;
    Ok(record)
}

fn record_of(release: &ModelRelease) -> Result<Record, TrainerError> {
    let value = schemas::encode(release)?;
    let record = Record::new(Topic::Models, &release.cohort, value, release.created_at);
    Ok(record.cloud_event(CloudEvent {
        id: release.sha256.clone(),
        event_type: "detective.model.v1",
        source: GROUP.to_owned(),
        subject: &release.cohort,
        time: release.created_at,
    }))
}
