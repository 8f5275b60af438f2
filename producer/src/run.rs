//! Sweeps at an interval until told to stop, and leaves the snapshots to the one who delivers them.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use bus::Bus;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Producer, ProducerError, Sweeper, delivery::deliver, outbox::Outbox};

/// How long what still waits at the end is tried to be delivered.
const TIME_TO_DELIVER: Duration = Duration::from_secs(2);

/// Watches a host until `shutdown`.
///
/// A sweep that fails is told once, and so is the recovery; the loop goes on. While the bus is slow or away, sweeps keep
/// their interval, and up to `sweep.queue_bytes` of snapshots wait. Those that are dropped are counted: the next sweep's
/// snapshot carries the count in its coverage, as signal `snapshot`.
///
/// # Errors
/// If the settings cannot be followed, the root is no `proc` file system, a sweep panics, or the bus has stopped for
/// good.
pub async fn run(producer: Producer, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ProducerError> {
    let outbox = Outbox::new(producer.sweep.queue_bytes);
    let mut delivering = pin!(deliver(&outbox, bus.as_ref(), &shutdown));
    let swept = tokio::select! {
        swept = sweep_on(producer, &outbox, &shutdown) => swept,
        stopped = &mut delivering => return Ok(stopped?),
    };
    outbox.close();
    // What is on its way when the time is up may or may not arrive; the next run is another one.
    let _ = timeout(TIME_TO_DELIVER, delivering).await;
    let snapshots = outbox.n_undelivered();
    if snapshots > 0 {
        tracing::warn!(snapshots, "snapshots were not delivered");
    }
    swept
}

/// Sweeps at the interval, whatever becomes of the snapshots.
async fn sweep_on(producer: Producer, outbox: &Outbox, shutdown: &CancellationToken) -> Result<(), ProducerError> {
    let mut interval = tokio::time::interval(producer.sweep.interval.max(crate::SweepConfig::SHORTEST));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sweeper = on_thread(move || Sweeper::new(producer)).await??;
    let mut trouble = Trouble::default();
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        let (returned, swept) = on_thread(move || {
            let swept = sweeper.sweep();
            (sweeper, swept)
        })
        .await?;
        sweeper = returned;
        match swept {
            Ok(snapshot) => {
                trouble.over();
                outbox.push(snapshot);
            }
            Err(error) => trouble.on(&error),
        }
    }
    Ok(())
}

/// Runs what reads files on a thread that may wait for them.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ProducerError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| ProducerError::Panicked { source })
}

/// Sweeps that fail again and again are told once, and once that it is over.
#[derive(Default)]
struct Trouble {
    times: u64,
}

impl Trouble {
    fn on(&mut self, error: &impl fmt::Display) {
        if self.times == 0 {
            tracing::warn!(%error, "a sweep failed; trying on");
        }
        self.times += 1;
    }

    fn over(&mut self) {
        if self.times > 0 {
            tracing::info!(failures = self.times, "sweeps work again");
        }
        self.times = 0;
    }
}
