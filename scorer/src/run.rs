//! The scorer's loop: it owns all state and handles one event at a time.

mod operation;

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use bus::{Bus, BusError, Delivery, ErrorClass, Positions, Record, Subscription};
use schemas::{Timestamp, Topic};
use service::Retry;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, access::Access, server, token::Token},
    config::ScorerConfig,
    engine::Engine,
    error::ScorerError,
    learning::LearningProgress,
    query::Query,
    releases, restore,
};
use operation::{Operation, Outcome, Publication};

/// Consumer group of all scorers.
pub const GROUP: &str = "detective-scorer";

/// Largest number of snapshots to process in one transaction.
const BATCH: usize = 64;
/// How often to check for hosts that stopped sending snapshots, and for state that is too old.
const TICK: Duration = Duration::from_millis(500);
/// Number of HTTP requests that may wait for the loop.
const QUERY_QUEUE_LENGTH: usize = 64;
/// How long open HTTP connections may delay the end of the program.
const API_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Scores snapshots and serves the HTTP API until `shutdown`.
///
/// # Errors
/// If the API cannot listen on its address, the bus cannot be read at the start, or an error of the
/// bus is fatal.
pub async fn run(config: ScorerConfig, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ScorerError> {
    let address = config.api.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| ScorerError::Listen { address, source })?;
    let (sender, mut queries) = mpsc::channel(QUERY_QUEUE_LENGTH);
    let access = Access::new(config.api.clone(), load_token(&config.api.token_file));
    let routes = api::router(sender, access);
    let max_connections = config.api.max_connections;
    // Ends the API only: an error of the scorer must not look like a shutdown to its caller.
    let stop_api = shutdown.child_token();
    let server = tokio::spawn(server::serve(listener, routes, max_connections, stop_api.clone(), API_SHUTDOWN_TIMEOUT));
    let started = start(config, bus, &mut queries, &shutdown).await;
    let outcome = match started {
        Some(Ok(mut scorer)) => scorer.run(queries, &shutdown).await,
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    stop_api.cancel();
    let _ = server.await;
    outcome
}

/// Restores the state from the bus, which can take long, and answers queries meanwhile. Returns
/// `None` if `shutdown` comes first.
async fn start(
    config: ScorerConfig,
    bus: Arc<dyn Bus>,
    queries: &mut mpsc::Receiver<Query>,
    shutdown: &CancellationToken,
) -> Option<Result<ScorerLoop, ScorerError>> {
    let mut starting = Box::pin(ScorerLoop::start(config, bus));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return None,
            started = &mut starting => return Some(started),
            Some(query) = queries.recv() => query.run_before_start(),
        }
    }
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
    /// Time that was spent on waiting for snapshots and processing them.
    reading_time: Duration,
    bus: Arc<dyn Bus>,
    snapshots: Box<dyn Subscription>,
    releases: mpsc::Receiver<Result<Delivery, BusError>>,
    /// The task that reads how far cohorts have learned; none once it has ended.
    restoring: JoinSet<Result<BTreeMap<String, LearningProgress>, BusError>>,
    /// Epoch of the partition assignment that the engine's state belongs to. `None`: the state is
    /// outdated, and incidents must be read again before the next batch.
    epoch: Option<u64>,
    /// Positions after the last batch.
    positions: Option<Positions>,
    /// Rejected releases and operator actions to publish at the next tick.
    pending: Vec<Record>,
    read_retry: Retry<BusError>,
    /// The running operation on the bus. Until it ends, no further batch is read, but queries are
    /// answered.
    operation: Option<Operation>,
}

impl ScorerLoop {
    /// Restores incidents and models from the bus, subscribes, and starts to read the healthy
    /// topic, which can take minutes.
    async fn start(config: ScorerConfig, bus: Arc<dyn Bus>) -> Result<ScorerLoop, ScorerError> {
        let now = Timestamp::now();
        let mut engine = Engine::new(config, [], now);
        engine.begin_restoring();
        engine.reset_hosts(operation::read_incidents(bus.as_ref()).await?);
        let mut published = Vec::new();
        let newest = bus::for_each(bus.as_ref(), Topic::Models, |delivery| published.push(delivery)).await?;
        let pending = published.iter().filter_map(|delivery| engine.handle_release(delivery, now)).collect();
        let mut restoring = JoinSet::new();
        restoring.spawn(restore::read_progress(Arc::clone(&bus), now));
        let snapshots = bus.subscribe(GROUP, &[Topic::Snapshots]).await?;
        Ok(ScorerLoop {
            engine,
            reading_time: Duration::ZERO,
            releases: releases::follow(Arc::clone(&bus), newest),
            restoring,
            bus,
            epoch: Some(snapshots.rebalance_count()),
            snapshots,
            positions: None,
            pending,
            read_retry: Retry::new("read snapshots"),
            operation: None,
        })
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
            // Without a model there is nothing to score, and no snapshot is lost for learning.
            let can_read = is_idle && (self.restoring.is_empty() || self.engine.has_model());
            let started = Instant::now();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(query) = queries.recv() => self.pending.extend(query.run(&mut self.engine, Timestamp::now())),
                Some(release) = self.releases.recv() => {
                    self.pending.extend(self.engine.handle_release(&release?, Timestamp::now()));
                }
                Some(progress) = self.restoring.join_next() => {
                    self.engine.finish_restoring(progress.unwrap_or(Err(BusError::Stopped))?);
                }
                outcome = operation::finished(&mut self.operation) => self.handle_outcome(outcome)?,
                _ = tick.tick(), if is_idle => self.handle_tick(),
                batch = self.snapshots.next(BATCH), if can_read => match batch {
                    Ok(batch) => {
                        self.read_retry.succeeded();
                        self.engine.metrics.lost = self.snapshots.lost_count();
                        self.handle_batch(batch);
                    }
                    Err(error) if error.class() == ErrorClass::Fatal => return Err(error.into()),
                    Err(error) => {
                        self.read_retry.failed(&error, error.hint());
                        self.operation = Some(operation::wait(&self.read_retry));
                    }
                },
            }
            if is_idle {
                self.reading_time += started.elapsed();
            }
        }
    }

    fn handle_batch(&mut self, batch: Vec<Delivery>) {
        let epoch = Some(self.snapshots.rebalance_count());
        if self.epoch != epoch {
            // Other scorers may have had these hosts since, so the topic has the state of their
            // incidents.
            self.epoch = epoch;
            self.positions = None;
            return self.reload_incidents(batch, Retry::new("read incidents"));
        }
        let records =
            batch.iter().flat_map(|delivery| self.engine.handle_snapshot(delivery, Timestamp::now())).collect();
        self.positions = Some(Positions::after(GROUP, &batch));
        self.publish(records);
    }

    fn handle_tick(&mut self) {
        if !self.pending.is_empty() {
            // Without positions, so that a superseded scorer publishes them too.
            let records = std::mem::take(&mut self.pending);
            let retry = Retry::new("publish records");
            return self.start_publication(Publication { records, positions: None, retry });
        }
        if self.epoch.is_none() {
            return;
        }
        let records = self.engine.handle_tick(Timestamp::now(), self.reading_time);
        if !records.is_empty() {
            self.publish(records);
        }
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
    fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), BusError> {
        match outcome {
            Outcome::Waited => {}
            Outcome::Published(Ok(()), mut publication) => {
                publication.retry.succeeded();
                self.engine.metrics.count_dead_letters(&publication.records);
                if publication.positions.is_some() {
                    self.engine.freshness.published_at = Some(Timestamp::now());
                }
            }
            Outcome::Published(Err(error), publication) => self.handle_publish_error(error, publication)?,
            Outcome::IncidentsRead(Ok(incidents), batch, mut retry) => {
                retry.succeeded();
                self.engine.reset_hosts(incidents);
                self.handle_batch(batch);
            }
            Outcome::IncidentsRead(Err(error), ..) if error.class() == ErrorClass::Fatal => return Err(error),
            Outcome::IncidentsRead(Err(error), batch, mut retry) => {
                retry.failed(&error, error.hint());
                self.reload_incidents(batch, retry);
            }
        }
        Ok(())
    }

    /// Continues after a failed publication: without the record that the bus rejects, without the
    /// state of hosts that other scorers have now, or again after a delay.
    fn handle_publish_error(&mut self, error: BusError, mut publication: Publication) -> Result<(), BusError> {
        match error.class() {
            ErrorClass::Superseded => {
                tracing::info!(%error, "partitions reassigned; host state discarded");
                self.engine.discard_hosts();
                self.epoch = None;
            }
            ErrorClass::Transient => {
                self.engine.metrics.publish_failures += 1;
                publication.retry.failed(&error, error.hint());
                self.start_publication(publication);
            }
            ErrorClass::Rejected | ErrorClass::Fatal => {
                let replacement = bus::replace_rejected(&mut publication.records, &error).ok_or(error)?;
                self.engine.metrics.count_replacement(replacement);
                self.start_publication(publication);
            }
        }
        Ok(())
    }
}
