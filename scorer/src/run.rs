//! The scorer's loop: one owner of all state, one event at a time.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Cursor, Delivery, Positions, Record, Subscription};
use schemas::{HealthySnapshot, Incident, ModelRelease, Topic};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    api, clock,
    config::ScorerConfig,
    engine::{Engine, dead_letter},
    error::ScorerError,
    query::Query,
};

/// The consumer group of all scorers.
pub const GROUP: &str = "detective-scorer";

const BATCH: usize = 64;
const TICK: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    releases: Cursor,
    /// What could not be published yet; until it is, nothing further is taken.
    pending: Option<Pending>,
}

struct Pending {
    records: Vec<Record>,
    positions: Option<Positions>,
    pause: Duration,
}

impl Scorer {
    /// Reads what the bus holds of earlier runs: incidents, how far learning had come, models.
    async fn start(config: ScorerConfig, bus: Arc<dyn Bus>) -> Result<Scorer, ScorerError> {
        let incidents = read_all::<Incident>(bus.as_ref(), Topic::Incidents).await?;
        let mut engine = Engine::new(config, incidents, clock::now());
        bus::for_each(bus.as_ref(), Topic::Healthy, |delivery| {
            if let Ok(record) = schemas::decode::<HealthySnapshot>(&delivery.value) {
                engine.recall(&record);
            }
        })
        .await?;
        let snapshots = bus.subscribe(GROUP, &[Topic::Snapshots]).await?;
        let mut scorer = Scorer { engine, bus, snapshots, releases: Cursor::start(Topic::Models), pending: None };
        scorer.take_releases().await?;
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
            let pause = self.pending.as_ref().map(|pending| pending.pause);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(query) = queries.recv() => query.answer(&mut self.engine, clock::now()),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => self.try_pending().await,
                _ = tick.tick(), if pause.is_none() => self.tick().await?,
                batch = self.snapshots.next(BATCH), if pause.is_none() => match batch {
                    Ok(batch) => self.take(&batch).await?,
                    Err(error) => self.wait_after(error).await,
                },
            }
        }
    }

    async fn take(&mut self, batch: &[Delivery]) -> Result<(), ScorerError> {
        let mut records = Vec::new();
        for delivery in batch {
            records.extend(self.engine.snapshot(delivery, clock::now())?);
        }
        let positions = Some(Positions::after(GROUP, batch));
        self.pending = Some(Pending { records, positions, pause: Duration::ZERO });
        self.try_pending().await;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ScorerError> {
        if let Err(error) = self.take_releases().await {
            self.wait_after(error).await;
        }
        let records = self.engine.tick(clock::now())?;
        if !records.is_empty() {
            self.pending = Some(Pending { records, positions: None, pause: Duration::ZERO });
            self.try_pending().await;
        }
        Ok(())
    }

    /// Publishes what is pending. What fails is tried again after a growing pause: nothing is lost and nothing overtakes it.
    async fn try_pending(&mut self) {
        let Some(mut pending) = self.pending.take() else { return };
        let Err(error) = self.bus.publish(pending.records.clone(), pending.positions.clone()).await else {
            if !pending.pause.is_zero() {
                tracing::info!("the bus takes records again");
            }
            return;
        };
        if pending.pause.is_zero() {
            tracing::warn!(%error, hint = error.hint(), "the bus does not take records: trying again");
        }
        self.engine.metrics.publish_failures += 1;
        pending.pause = (pending.pause * 2).clamp(Duration::from_millis(200), LONGEST_PAUSE);
        self.pending = Some(pending);
    }

    async fn wait_after(&mut self, error: BusError) {
        tracing::warn!(%error, hint = error.hint(), "the bus cannot be read: trying again");
        tokio::time::sleep(TICK).await;
    }

    /// Takes the releases that have come. One that is not sound goes to the dead letters, and the last good model goes on.
    async fn take_releases(&mut self) -> Result<(), BusError> {
        loop {
            let page = self.bus.read(&self.releases, 8, Duration::ZERO).await?;
            self.releases = page.next;
            if page.deliveries.is_empty() {
                return Ok(());
            }
            for delivery in page.deliveries.iter().filter(|delivery| !delivery.is_tombstone()) {
                let release = schemas::decode::<ModelRelease>(&delivery.value).map_err(|error| error.to_string());
                let taken = release.and_then(|release| self.engine.release(release).map_err(|error| error.to_string()));
                if let Err(why) = taken {
                    tracing::warn!(cohort = delivery.key, why, "model refused: the last good one goes on");
                    self.engine.metrics.releases_refused += 1;
                    self.bus.publish(vec![dead_letter(delivery, &why)], None).await?;
                }
            }
        }
    }
}

async fn read_all<R: schemas::codec::Record + Send>(bus: &dyn Bus, topic: Topic) -> Result<Vec<R>, BusError> {
    let mut records = std::collections::BTreeMap::new();
    bus::for_each(bus, topic, |delivery| {
        match schemas::decode::<R>(&delivery.value) {
            Ok(record) if !delivery.is_tombstone() => records.insert(delivery.key, record),
            _ => records.remove(&delivery.key),
        };
    })
    .await?;
    Ok(records.into_values().collect())
}
