//! Operations on the bus that run in the background of the scorer's loop.

use std::{future::Future, pin::Pin, sync::Arc};

use bus::{Bus, BusError, Delivery, Positions, Record};
use schemas::Topic;
use service::Retry;

use crate::engine::IncidentStore;

/// A running operation; it makes progress while it is polled.
pub(super) type Operation = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Result of an [`Operation`].
pub(super) enum Outcome {
    /// A delay has passed.
    Waited,
    /// Records were published, or not.
    Published(Result<(), BusError>, Publication),
    /// Incidents were read, or not, before this batch of snapshots is processed.
    IncidentsRead(Result<IncidentStore, BusError>, Vec<Delivery>, Retry<BusError>),
}

/// Records and positions that are published in one transaction.
pub(super) struct Publication {
    pub(super) records: Vec<Record>,
    pub(super) positions: Option<Positions>,
    pub(super) retry: Retry<BusError>,
}

/// Waits for the delay of `retry`.
pub(super) fn wait(retry: &Retry<BusError>) -> Operation {
    let delay = retry.wait();
    Box::pin(async move {
        delay.await;
        Outcome::Waited
    })
}

/// Publishes after the delay of the publication's retry.
pub(super) fn publish(bus: Arc<dyn Bus>, publication: Publication) -> Operation {
    Box::pin(async move {
        publication.retry.wait().await;
        let result = bus.publish(publication.records.clone(), publication.positions.clone()).await;
        Outcome::Published(result, publication)
    })
}

/// Reads all incidents after the delay of `retry`.
pub(super) fn reload_incidents(bus: Arc<dyn Bus>, batch: Vec<Delivery>, retry: Retry<BusError>) -> Operation {
    Box::pin(async move {
        retry.wait().await;
        Outcome::IncidentsRead(read_incidents(bus.as_ref()).await, batch, retry)
    })
}

/// Waits for the outcome of the operation and removes it. Pends forever if there is none. Cancel
/// safe.
pub(super) async fn finished(operation: &mut Option<Operation>) -> Outcome {
    let Some(running) = operation else { return std::future::pending().await };
    let outcome = running.await;
    *operation = None;
    outcome
}

/// Reads the latest state of each incident from the incidents topic.
pub(super) async fn read_incidents(bus: &dyn Bus) -> Result<IncidentStore, BusError> {
    let mut incidents = IncidentStore::default();
    bus::for_each(bus, Topic::Incidents, |delivery| incidents.read(&delivery)).await?;
    Ok(incidents)
}
