//! The scorer's loop: it owns all state and handles one event at a time.

mod operation;

use std::{io, path::Path, sync::Arc, time::Duration};

use bus::{Bus, BusError, Delivery, Positions, Record, Subscription};
use schemas::{CodecError, HealthySnapshot, ModelRelease, Timestamp, Topic};
use service::Retry;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, access::Access, server, token::Token},
    config::ScorerConfig,
    engine::Engine,
    error::ScorerError,
    query::Query,
    releases,
};
use operation::{Operation, Outcome, Publication};

/// Consumer group of all scorers.
pub const GROUP: &str = "detective-scorer";

/// Largest number of snapshots to process in one transaction.
const BATCH: usize = 64;
/// How often to check for hosts that stopped sending snapshots.
const TICK: Duration = Duration::from_millis(500);
/// Number of HTTP requests that may wait for the loop.
const QUERY_QUEUE_LENGTH: usize = 64;
/// How long open HTTP connections may delay the end of the program.
const API_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Scores snapshots and serves the HTTP API until `shutdown`.
///
/// # Errors
/// If the API cannot listen on its address, or the bus cannot be read at the start.
pub async fn run(config: ScorerConfig, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ScorerError> {
    let address = config.api.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| ScorerError::Listen { address, source })?;
    let (sender, queries) = mpsc::channel(QUERY_QUEUE_LENGTH);
    let access = Access::new(config.api.clone(), load_token(&config.api.token_file));
    let routes = api::router(sender, access);
    let max_connections = config.api.max_connections;
    let server = tokio::spawn(server::serve(listener, routes, max_connections, shutdown.clone(), API_SHUTDOWN_TIMEOUT));
    let outcome = match ScorerLoop::start(config, bus).await {
        Ok(mut scorer) => scorer.run(queries, &shutdown).await,
        Err(error) => Err(error),
    };
    shutdown.cancel();
    let _ = server.await;
    outcome
}

/// The token of the API. Without one, the API answers only requests that need none: a scorer on a
/// read-only filesystem is of use without it.
fn load_token(path: &Path) -> Option<Token> {
    let token = Token::read_or_create(path);
    let log = |error: &io::Error| {
        tracing::warn!(path = %path.display(), %error, "no API token; requests that need it are refused");
    };
    token.inspect_err(log).ok()
}

struct ScorerLoop {
    engine: Engine,
    bus: Arc<dyn Bus>,
    snapshots: Box<dyn Subscription>,
    releases: mpsc::Receiver<Delivery>,
    /// Epoch of the partition assignment that the engine's state belongs to. `None`: the state is
    /// outdated, and incidents must be read again before the next batch.
    epoch: Option<u64>,
    /// Positions after the last batch.
    positions: Option<Positions>,
    /// Rejected releases and operator actions to publish with the next batch.
    pending: Vec<Record>,
    read_retry: Retry<BusError>,
    /// The running operation on the bus. Until it ends, no further batch is read, but queries are
    /// answered.
    operation: Option<Operation>,
}

impl ScorerLoop {
    /// Restores incidents, learning progress and models from the bus, and subscribes.
    async fn start(config: ScorerConfig, bus: Arc<dyn Bus>) -> Result<ScorerLoop, ScorerError> {
        let incidents = operation::read_incidents(bus.as_ref()).await?;
        let mut engine = Engine::new(config, incidents, Timestamp::now());
        bus::for_each(bus.as_ref(), Topic::Healthy, |delivery| {
            if let Ok(record) = schemas::decode::<HealthySnapshot>(&delivery.value) {
                engine.restore_learning(&record);
            }
        })
        .await?;
        let mut published = Vec::new();
        let newest = bus::for_each(bus.as_ref(), Topic::Models, |delivery| published.push(delivery)).await?;
        let snapshots = bus.subscribe(GROUP, &[Topic::Snapshots]).await?;
        let mut scorer = ScorerLoop {
            engine,
            releases: releases::follow(Arc::clone(&bus), newest),
            bus,
            epoch: Some(snapshots.rebalance_count()),
            snapshots,
            positions: None,
            pending: Vec::new(),
            read_retry: Retry::new("read snapshots"),
            operation: None,
        };
        published.iter().for_each(|delivery| scorer.load_release(delivery));
        Ok(scorer)
    }

    async fn run(
        &mut self,
        mut queries: mpsc::Receiver<Query>,
        shutdown: &CancellationToken,
    ) -> Result<(), ScorerError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let is_idle = self.operation.is_none();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(query) = queries.recv() => self.pending.extend(query.run(&mut self.engine, Timestamp::now())),
                Some(delivery) = self.releases.recv() => self.load_release(&delivery),
                outcome = operation::finished(&mut self.operation) => self.handle_outcome(outcome)?,
                _ = tick.tick(), if is_idle => self.handle_tick()?,
                batch = self.snapshots.next(BATCH), if is_idle => match batch {
                    Ok(batch) => {
                        self.read_retry.succeeded();
                        self.handle_batch(batch)?;
                    }
                    Err(error) => {
                        self.read_retry.failed(&error, error.hint());
                        self.operation = Some(operation::wait(&self.read_retry));
                    }
                },
            }
        }
    }

    fn handle_batch(&mut self, batch: Vec<Delivery>) -> Result<(), CodecError> {
        let epoch = Some(self.snapshots.rebalance_count());
        if self.epoch != epoch {
            // Other scorers may have had these hosts since, so the topic has the state of their
            // incidents.
            self.epoch = epoch;
            self.positions = None;
            self.reload_incidents(batch, Retry::new("read incidents"));
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.pending);
        for delivery in &batch {
            records.extend(self.engine.handle_snapshot(delivery, Timestamp::now())?);
        }
        self.positions = Some(Positions::after(GROUP, &batch));
        self.publish(records);
        Ok(())
    }

    fn handle_tick(&mut self) -> Result<(), CodecError> {
        if self.epoch.is_none() {
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.pending);
        records.extend(self.engine.mark_stale_hosts(Timestamp::now())?);
        if !records.is_empty() {
            self.publish(records);
        }
        Ok(())
    }

    /// Publishes records together with the positions. The bus rejects the positions of a superseded
    /// scorer, and with them its records for hosts that other scorers have now.
    fn publish(&mut self, records: Vec<Record>) {
        let positions = self.positions.clone();
        self.start_publication(Publication { records, positions, retry: Retry::new("publish records") });
    }

    fn start_publication(&mut self, publication: Publication) {
        self.operation = Some(operation::publish(Arc::clone(&self.bus), publication));
    }

    fn reload_incidents(&mut self, batch: Vec<Delivery>, retry: Retry<BusError>) {
        self.operation = Some(operation::reload_incidents(Arc::clone(&self.bus), batch, retry));
    }

    /// Continues after an operation. A failed operation is retried before any other, so that no
    /// record is lost or reordered.
    fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), CodecError> {
        match outcome {
            Outcome::Waited => {}
            Outcome::Published(Ok(()), mut publication) => publication.retry.succeeded(),
            Outcome::Published(Err(error @ BusError::Superseded { .. }), _) => {
                tracing::info!(%error, "partitions reassigned; host state discarded");
                self.engine.hosts.clear();
                self.epoch = None;
            }
            Outcome::Published(Err(error), mut publication) => {
                self.engine.metrics.publish_failures += 1;
                publication.retry.failed(&error, error.hint());
                self.start_publication(publication);
            }
            Outcome::IncidentsRead(Ok(incidents), batch, mut retry) => {
                retry.succeeded();
                self.engine.reset_hosts(incidents);
                self.handle_batch(batch)?;
            }
            Outcome::IncidentsRead(Err(error), batch, mut retry) => {
                retry.failed(&error, error.hint());
                self.reload_incidents(batch, retry);
            }
        }
        Ok(())
    }

    /// Loads a release. An invalid one becomes a dead letter, and the current model stays in use.
    fn load_release(&mut self, delivery: &Delivery) {
        if delivery.is_tombstone() {
            return;
        }
        let release = schemas::decode::<ModelRelease>(&delivery.value).map_err(|error| error.to_string());
        let loaded = release.and_then(|release| self.engine.load_release(release).map_err(|error| error.to_string()));
        if let Err(reason) = loaded {
            tracing::warn!(cohort = delivery.key, reason, "model release rejected; current model stays in use");
            self.engine.metrics.releases_rejected += 1;
            self.pending.push(delivery.to_dead_letter(&reason));
        }
    }
}
