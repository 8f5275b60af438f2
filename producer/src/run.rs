//! Sweeps at an interval until shutdown, and passes the snapshots to delivery.

use std::{
    pin::pin,
    sync::{Arc, mpsc as blocking},
    thread,
    time::Duration,
};

use bus::{Bus, Record};
use hostread::descriptors;
use service::OutageLog;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Producer, ProducerError, Sweeper,
    emit::{delivery::deliver, outbox::Outbox, record},
};

/// Longest time to spend at shutdown on the delivery of queued snapshots.
const SHUTDOWN_DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches a host until `shutdown`.
///
/// When sweeps fail, the first failure and the recovery are logged; the loop continues. While the
/// bus is slow or unavailable, sweeps keep their interval, and up to `sweep.queue_bytes` of
/// snapshots are queued. Snapshots that are dropped or could not be made are counted: the next
/// snapshot carries the count in its coverage, as signal `snapshot`.
///
/// # Errors
/// If the settings are invalid, the root is not a `proc` filesystem, a sweep panics, or the bus has
/// stopped permanently.
pub async fn run(producer: Producer, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ProducerError> {
    let outbox = Outbox::new(producer.sweep.queue_bytes);
    let mut delivering = pin!(deliver(&outbox, bus.as_ref(), &shutdown));
    let swept = tokio::select! {
        swept = sweep_at_interval(producer, &outbox, &shutdown) => swept,
        stopped = &mut delivering => return Ok(stopped?),
    };
    outbox.close();
    // A snapshot in transit at the timeout may or may not arrive. The next run has another id.
    let _ = timeout(SHUTDOWN_DELIVERY_TIMEOUT, delivering).await;
    let snapshots = outbox.n_undelivered();
    if snapshots > 0 {
        tracing::warn!(snapshots, "snapshots were not delivered");
    }
    swept
}

/// Sweeps at the interval, independently of delivery.
async fn sweep_at_interval(
    producer: Producer,
    outbox: &Outbox,
    shutdown: &CancellationToken,
) -> Result<(), ProducerError> {
    let mut interval = tokio::time::interval(producer.sweep.interval.max(crate::SweepConfig::MIN_INTERVAL));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (requester, requests) = mpsc::channel(1);
    let (results, mut swept) = mpsc::channel(1);
    let sweeping = tokio::task::spawn_blocking(move || relay_requests(producer, requests, &results));
    let mut outage = OutageLog::new("sweep the host");
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        let reported_drops = outbox.take_unreported_drops();
        if requester.send(reported_drops).await.is_err() {
            break;
        }
        match swept.recv().await {
            Some(Ok(record)) => {
                outage.succeeded();
                outbox.push(record, reported_drops);
            }
            Some(Err(error)) => {
                outage.failed(&error, error.hint());
                outbox.record_missed(reported_drops);
            }
            None => break,
        }
    }
    drop(requester);
    sweeping.await.map_err(|source| ProducerError::Panicked { source })?
}

type Swept = Result<Record, ProducerError>;

/// Passes requests to the thread that sweeps, and its results back. That thread cannot use channels
/// of the runtime: to wake the runtime takes a descriptor that the thread does not have.
fn relay_requests(
    producer: Producer,
    mut requests: mpsc::Receiver<i64>,
    results: &mpsc::Sender<Swept>,
) -> Result<(), ProducerError> {
    let (requester, inner_requests) = blocking::channel();
    let (inner_results, swept) = blocking::channel();
    let sweep = move || sweep_on_request(producer, &inner_requests, &inner_results);
    let started = thread::Builder::new().name("sweep".to_owned()).spawn(sweep);
    let sweeping = started.map_err(|source| ProducerError::Thread { source })?;
    while let Some(reported_drops) = requests.blocking_recv() {
        let _ = requester.send(reported_drops);
        let Ok(swept) = swept.recv() else { break };
        let _ = results.blocking_send(swept);
    }
    drop(requester);
    sweeping.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sweeps once per request. A request is the number of dropped snapshots that the next snapshot
/// reports. All sweeps run on one thread, so that the allocator caches memory once, and so that
/// other parts of the program, such as an API with many clients, cannot use up its descriptors.
fn sweep_on_request(
    producer: Producer,
    requests: &blocking::Receiver<i64>,
    results: &blocking::Sender<Swept>,
) -> Result<(), ProducerError> {
    if let Err(error) = descriptors::raise_limit() {
        tracing::warn!(%error, "limit of open files not raised");
    }
    if let Err(error) = descriptors::use_own_table() {
        tracing::info!(%error, "sweeps share file descriptors with the rest of the program");
    }
    let mut sweeper = Sweeper::new(producer)?;
    while let Ok(reported_drops) = requests.recv() {
        let swept = sweeper.sweep().and_then(|snapshot| Ok(record::with_drop_count(snapshot, reported_drops)?));
        let _ = results.send(swept);
    }
    Ok(())
}
