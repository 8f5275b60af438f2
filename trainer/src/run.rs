//! The trainer service: consumes the healthy topic and publishes model releases.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, CloudEvent, Delivery, ErrorClass, Positions, Record};
use schemas::{GraphSnapshot, HealthySnapshot, ModelRelease, Timestamp, Topic};
use service::{Backoff, Retry, report::chain};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Progress, TrainerError, TrainerSettings, background::BackgroundTraining, cohort::Cohorts,
    healthy_index::HealthyIndex,
};

/// Consumer group of the trainer on the healthy topic.
pub const GROUP: &str = "detective-trainer";
/// Largest number of records to read at once.
const BATCH: usize = 64;
/// Delay between two attempts while the bus is unavailable.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Trains a model for each cohort when its learning phase is complete, and again every
/// `training.retrain`, until `shutdown`.
///
/// The first model of a generation is trained when a healthy record says that the cohort has
/// learned the wanted number of snapshots. The state of all cohorts is read from the topics at the
/// start, so a restart neither loses learned snapshots nor repeats a training.
///
/// # Errors
/// If the topics cannot be read at the start, or the bus stops. Later bus errors are logged and
/// retried.
pub async fn run(
    settings: TrainerSettings,
    bus: Arc<dyn Bus>,
    shutdown: CancellationToken,
    progress: Progress,
) -> Result<(), TrainerError> {
    // Dropping the guard stops the training thread when this function returns.
    let stop_training = shutdown.child_token();
    let _guard = stop_training.clone().drop_guard();
    let cohorts = Cohorts::new(settings.features.profile, settings.training.retrain);
    let index = Arc::new(Mutex::new(HealthyIndex::new(settings.training.max_snapshots)));
    let reading = retry("read healthy snapshots");
    let mut trainer = Trainer { settings, bus, shutdown, progress, cohorts, index, reading };
    trainer.load_cohorts().await?;
    let mut subscription = trainer.bus.subscribe(GROUP, &[Topic::Healthy]).await?;
    let mut training: Option<BackgroundTraining> = None;
    loop {
        let now = Instant::now();
        if training.is_none()
            && let Some(due) = trainer.cohorts.next_due(now)
        {
            let settings = trainer.settings.clone();
            let bus = Arc::clone(&trainer.bus);
            let progress = trainer.progress.clone();
            let index = Arc::clone(&trainer.index);
            training = Some(BackgroundTraining::new(due, settings, bus, index, stop_training.clone(), progress));
        }
        let wake_at = if training.is_some() { None } else { trainer.cohorts.next_due_at(now) };
        tokio::select! {
            () = trainer.shutdown.cancelled() => return Ok(()),
            batch = subscription.next(BATCH) => trainer.handle_batch(batch).await?,
            () = sleep_until(wake_at) => {}
            (cohort, outcome) = BackgroundTraining::finished(&mut training) => {
                trainer.handle_outcome(&cohort, outcome).await?;
            }
        }
    }
}

/// Sleeps until `time`; forever if it is `None`.
async fn sleep_until(time: Option<Instant>) {
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
    index: Arc<Mutex<HealthyIndex>>,
    reading: Retry<BusError>,
}

impl Trainer {
    /// Restores the state of all cohorts from the models and healthy topics.
    async fn load_cohorts(&mut self) -> Result<(), TrainerError> {
        let now = Instant::now();
        let wall_clock = Timestamp::now();
        let cohorts = &mut self.cohorts;
        bus::for_each(&*self.bus, Topic::Models, |delivery| {
            // Skipping an invalid release, or one of an unknown version, makes a new model due.
            let release = schemas::decode::<ModelRelease>(&delivery.value).ok();
            if let Some(release) = release.filter(|release| release.check(&delivery.key, wall_clock).is_ok()) {
                let age_ms = u64::try_from(wall_clock.millis_since(release.created_at)).unwrap_or(0);
                cohorts.record_release(&release, Duration::from_millis(age_ms), now);
            }
        })
        .await?;
        let visit = |record: &HealthySnapshot| {
            cohorts.record_healthy(record);
        };
        self.index.lock().await.update(&*self.bus, wall_clock, visit).await?;
        Ok(())
    }

    /// Records a batch of healthy snapshots, and publishes invalid ones as dead letters.
    async fn handle_batch(&mut self, batch: Result<Vec<Delivery>, BusError>) -> Result<(), TrainerError> {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if error.class() == ErrorClass::Fatal => return Err(error.into()),
            Err(error) => {
                self.reading.failed(&error, error.hint());
                self.shutdown.run_until_cancelled(self.reading.wait()).await;
                return Ok(());
            }
        };
        self.reading.succeeded();
        let positions = Some(Positions::after(GROUP, &batch));
        let mut dead_letters = Vec::new();
        for delivery in batch {
            match decode_healthy(&delivery, Timestamp::now()) {
                Ok(record) => self.record_healthy(&record),
                Err(reason) => {
                    let Delivery { topic, partition, offset, .. } = &delivery;
                    warn!(%topic, partition, offset, reason, "invalid record moved to the dead letters");
                    dead_letters.push(delivery.to_dead_letter(&reason));
                }
            }
        }
        while let Err(error) = self.publish(dead_letters.clone(), positions.clone()).await {
            bus::replace_rejected(&mut dead_letters, &error).ok_or(error)?;
        }
        Ok(())
    }

    fn record_healthy(&mut self, record: &HealthySnapshot) {
        if let Some((learned, wanted)) = self.cohorts.record_healthy(record) {
            self.progress.report_learning(&record.cohort, learned, wanted);
        }
    }

    /// Publishes the trained release. If training failed, schedules the next attempt.
    async fn handle_outcome(
        &mut self,
        cohort: &str,
        outcome: Result<ModelRelease, TrainerError>,
    ) -> Result<(), TrainerError> {
        match self.publish_release(outcome).await {
            Ok(release) => {
                let model = release.short_name();
                info!(cohort, model, generation = release.generation, "model published");
                self.cohorts.record_release(&release, Duration::ZERO, Instant::now());
                self.write_onnx(&release);
            }
            Err(TrainerError::Interrupted) => {}
            Err(TrainerError::Bus(error)) if error.class() == ErrorClass::Fatal => return Err(error.into()),
            Err(error) => {
                warn!(cohort, error = %chain(&error), hint = error.hint(), "training failed");
                self.cohorts.record_failure(cohort, Instant::now());
            }
        }
        Ok(())
    }

    async fn publish_release(&self, outcome: Result<ModelRelease, TrainerError>) -> Result<ModelRelease, TrainerError> {
        let release = outcome?;
        self.publish(vec![to_record(&release)?], None).await?;
        Ok(release)
    }

    /// Writes the model to `training.write_onnx`, if it is set. An error is logged only.
    fn write_onnx(&self, release: &ModelRelease) {
        let Some(path) = &self.settings.training.write_onnx else { return };
        if let Err(source) = std::fs::write(path, &release.onnx) {
            let error = TrainerError::WriteOnnx { path: path.clone(), source };
            warn!(error = %chain(&error), hint = error.hint(), "cannot write the ONNX file");
        }
    }

    /// Publishes records and positions. Retries transient errors until `shutdown`.
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        let mut retry = retry("publish records");
        while let Err(error) = self.bus.publish(records.clone(), positions.clone()).await {
            match error.class() {
                // Another trainer reads the records now, or this one reads them again.
                ErrorClass::Superseded => return Ok(()),
                ErrorClass::Transient => {
                    retry.failed(&error, error.hint());
                    if self.shutdown.run_until_cancelled(retry.wait()).await.is_none() {
                        return Ok(());
                    }
                }
                ErrorClass::Rejected | ErrorClass::Fatal => return Err(error),
            }
        }
        retry.succeeded();
        Ok(())
    }
}

fn retry(operation: &'static str) -> Retry<BusError> {
    Retry::with_backoff(operation, Backoff::new(RETRY_DELAY, RETRY_DELAY))
}

/// Decodes a healthy record, and checks that it is of its host and holds a valid graph of it.
///
/// # Errors
/// The reason for the dead letter.
fn decode_healthy(delivery: &Delivery, now: Timestamp) -> Result<HealthySnapshot, String> {
    let record: HealthySnapshot = schemas::decode(&delivery.value).map_err(|error| error.to_string())?;
    record.check(&delivery.key, now).map_err(|error| error.to_string())?;
    let snapshot: GraphSnapshot = schemas::decode(&record.snapshot).map_err(|error| error.to_string())?;
    snapshot.check(&delivery.key).map_err(|error| error.to_string())?;
    graph::HostGraph::new(snapshot).map_err(|error| error.to_string())?;
    Ok(record)
}

/// Encodes a release as a record of the models topic, with CloudEvents headers.
fn to_record(release: &ModelRelease) -> Result<Record, TrainerError> {
    let value = schemas::encode(release)?;
    let record = Record::new(Topic::Models, &release.cohort, value, release.created_at);
    Ok(record.with_cloud_event(CloudEvent {
        id: release.sha256.clone(),
        event_type: "detective.model.v1",
        source: GROUP.to_owned(),
        subject: &release.cohort,
        time: release.created_at,
    }))
}
