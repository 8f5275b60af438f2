//! The scorer's loop: one owner of all state, one event at a time.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use bus::{Bus, BusError, Delivery, Positions, Record, Subscription};
use schemas::{CodecError, HealthySnapshot, Incident, ModelRelease, Timestamp, Topic};
use service::Retry;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{api, config::ScorerConfig, engine::Engine, error::ScorerError, query::Query, releases};

/// The consumer group of all scorers.
pub const GROUP: &str = "detective-scorer";

const BATCH: usize = 64;
const TICK: Duration = Duration::from_millis(500);

/// Scores snapshots until `shutdown`. Returns once the HTTP API has ended too.
///
/// # Errors
/// If the API cannot listen, or the bus cannot be read at the start.
pub async fn run(config: ScorerConfig, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ScorerError> {
    let address = config.api.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| ScorerError::Listen { address, source })?;
    let (asker, queries) = mpsc::channel(64);
    let serving = tokio::spawn(serve(listener, asker, shutdown.clone()));
    let outcome = match Scorer::start(config, bus).await {
        Ok(mut scorer) => scorer.work(queries, &shutdown).await,
        Err(error) => Err(error),
    };
    shutdown.cancel();
    let _ = serving.await;
    outcome
}

async fn serve(listener: TcpListener, asker: api::Asker, shutdown: CancellationToken) {
    let ended = shutdown.clone().cancelled_owned();
    // A reader that keeps its connection open does not keep the program from ending.
    tokio::select! {
        served = axum::serve(listener, api::router(asker)).with_graceful_shutdown(ended) => {
            if let Err(error) = served {
                tracing::error!(%error, "the HTTP API ended");
            }
        }
        () = async { shutdown.cancelled().await; tokio::time::sleep(Duration::from_secs(1)).await } => {}
    }
}

struct Scorer {
    engine: Engine,
    bus: Arc<dyn Bus>,
    snapshots: Box<dyn Subscription>,
    releases: mpsc::Receiver<Delivery>,
    /// The dealing out of partitions that the engine's state goes with; none once the state is void.
    epoch: Option<u64>,
    /// Behind the last batch.
    positions: Option<Positions>,
    /// Releases that were refused, on their way to the dead letters.
    letters: Vec<Record>,
    reading: Retry<BusError>,
    /// What is under way with the bus. Until it is done, nothing further is taken, but questions are answered.
    job: Option<Job>,
}

type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

/// How something with the bus ended.
enum Done {
    Rested,
    Published(Result<(), BusError>, Publication),
    Incidents(Result<Vec<Incident>, BusError>, Vec<Delivery>, Retry<BusError>),
}

/// What goes to the bus together.
struct Publication {
    records: Vec<Record>,
    positions: Option<Positions>,
    retry: Retry<BusError>,
}

impl Scorer {
    /// Reads what the bus holds of earlier runs: incidents, how far learning had come, models.
    async fn start(config: ScorerConfig, bus: Arc<dyn Bus>) -> Result<Scorer, ScorerError> {
        let incidents = read_incidents(bus.as_ref()).await?;
        let mut engine = Engine::new(config, incidents, Timestamp::now());
        bus::for_each(bus.as_ref(), Topic::Healthy, |delivery| {
            if let Ok(record) = schemas::decode::<HealthySnapshot>(&delivery.value) {
                engine.recall(&record);
            }
        })
        .await?;
        let mut held = Vec::new();
        let newest = bus::for_each(bus.as_ref(), Topic::Models, |delivery| held.push(delivery)).await?;
        let snapshots = bus.subscribe(GROUP, &[Topic::Snapshots]).await?;
        let releases = releases::follow(Arc::clone(&bus), newest);
        let epoch = Some(snapshots.epoch());
        let (positions, letters, reading, job) = (None, Vec::new(), Retry::new("read snapshots"), None);
        let mut scorer = Scorer { engine, bus, snapshots, releases, epoch, positions, letters, reading, job };
        held.iter().for_each(|release| scorer.release(release));
        Ok(scorer)
    }

    async fn work(
        &mut self,
        mut queries: mpsc::Receiver<Query>,
        shutdown: &CancellationToken,
    ) -> Result<(), ScorerError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let is_idle = self.job.is_none();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(query) = queries.recv() => query.answer(&mut self.engine, Timestamp::now()),
                Some(release) = self.releases.recv() => self.release(&release),
                done = finish(&mut self.job) => self.settle(done)?,
                _ = tick.tick(), if is_idle => self.tick()?,
                batch = self.snapshots.next(BATCH), if is_idle => match batch {
                    Ok(batch) => {
                        self.reading.succeeded();
                        self.take(batch)?;
                    }
                    Err(error) => self.rest_after(&error),
                },
            }
        }
    }

    fn take(&mut self, batch: Vec<Delivery>) -> Result<(), CodecError> {
        let epoch = Some(self.snapshots.epoch());
        if self.epoch != epoch {
            // Others may have had these hosts meanwhile: their incidents are as the topic says.
            self.epoch = epoch;
            self.positions = None;
            self.look_up_incidents(batch, Retry::new("read incidents"));
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.letters);
        for delivery in &batch {
            records.extend(self.engine.snapshot(delivery, Timestamp::now())?);
        }
        self.positions = Some(Positions::after(GROUP, &batch));
        self.publish(records);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), CodecError> {
        if self.epoch.is_none() {
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.letters);
        records.extend(self.engine.tick(Timestamp::now())?);
        if !records.is_empty() {
            self.publish(records);
        }
        Ok(())
    }

    /// The positions go with all that is published: who was superseded must not speak for hosts that others have now.
    fn publish(&mut self, records: Vec<Record>) {
        let positions = self.positions.clone();
        self.try_to_publish(Publication { records, positions, retry: Retry::new("publish records") });
    }

    fn try_to_publish(&mut self, publication: Publication) {
        let bus = Arc::clone(&self.bus);
        self.job = Some(Box::pin(async move {
            publication.retry.wait().await;
            let published = bus.publish(publication.records.clone(), publication.positions.clone()).await;
            Done::Published(published, publication)
        }));
    }

    fn look_up_incidents(&mut self, batch: Vec<Delivery>, retry: Retry<BusError>) {
        let bus = Arc::clone(&self.bus);
        self.job = Some(Box::pin(async move {
            retry.wait().await;
            Done::Incidents(read_incidents(bus.as_ref()).await, batch, retry)
        }));
    }

    /// What fails is tried again after a growing pause: nothing is lost and nothing overtakes it.
    fn settle(&mut self, done: Done) -> Result<(), CodecError> {
        match done {
            Done::Rested => {}
            Done::Published(Ok(()), mut publication) => publication.retry.succeeded(),
            Done::Published(Err(error @ BusError::Superseded { .. }), _) => {
                tracing::info!(%error, "another scorer goes on with these hosts, or this one from where it had published");
                self.engine.hosts.clear();
                self.epoch = None;
            }
            Done::Published(Err(error), mut publication) => {
                self.engine.metrics.publish_failures += 1;
                publication.retry.failed(&error, error.hint());
                self.try_to_publish(publication);
            }
            Done::Incidents(Ok(incidents), batch, mut retry) => {
                retry.succeeded();
                self.engine.begin_anew(incidents);
                self.take(batch)?;
            }
            Done::Incidents(Err(error), batch, mut retry) => {
                retry.failed(&error, error.hint());
                self.look_up_incidents(batch, retry);
            }
        }
        Ok(())
    }

    fn rest_after(&mut self, error: &BusError) {
        self.reading.failed(error, error.hint());
        let delay = self.reading.wait();
        self.job = Some(Box::pin(async move {
            delay.await;
            Done::Rested
        }));
    }

    /// Takes a release. One that is not sound goes to the dead letters, and the last good model goes on.
    fn release(&mut self, delivery: &Delivery) {
        if delivery.is_tombstone() {
            return;
        }
        let release = schemas::decode::<ModelRelease>(&delivery.value).map_err(|error| error.to_string());
        let taken = release.and_then(|release| self.engine.release(release).map_err(|error| error.to_string()));
        if let Err(why) = taken {
            tracing::warn!(cohort = delivery.key, why, "model refused: the last good one goes on");
            self.engine.metrics.releases_refused += 1;
            self.letters.push(delivery.dead_letter(&why));
        }
    }
}

/// Waits until the job is done, for ever if there is none.
async fn finish(job: &mut Option<Job>) -> Done {
    match job {
        Some(under_way) => {
            let done = under_way.await;
            *job = None;
            done
        }
        None => std::future::pending().await,
    }
}

/// The latest state of each incident.
async fn read_incidents(bus: &dyn Bus) -> Result<Vec<Incident>, BusError> {
    let mut incidents: BTreeMap<String, Incident> = BTreeMap::new();
    bus::for_each(bus, Topic::Incidents, |delivery| match schemas::decode::<Incident>(&delivery.value) {
        // After partitions were added, an earlier state stays behind in another partition.
        Ok(incident) if incidents.get(&delivery.key).is_some_and(|held| held.updated_at > incident.updated_at) => {}
        Ok(incident) => drop(incidents.insert(delivery.key, incident)),
        Err(_) => drop(incidents.remove(&delivery.key)),
    })
    .await?;
    Ok(incidents.into_values().collect())
}
