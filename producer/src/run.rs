//! Sweeps at an interval and puts the snapshots on the bus, until told to stop.

use std::{fmt, sync::Arc};

use bus::Bus;
use schemas::{Coverage, GraphSnapshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Producer, ProducerError, Sweeper, columns::Reason, record};

/// Watches a host until `shutdown`.
///
/// A sweep or a delivery that fails is told once, and so is the recovery; the loop goes on. Snapshots that could not
/// be delivered are counted: the next one that is carries the count in its coverage, as signal `snapshot`.
///
/// # Errors
/// If the settings cannot be followed, the root is no `proc` file system, or a sweep panics.
pub async fn run(producer: Producer, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ProducerError> {
    let mut interval = tokio::time::interval(producer.sweep.interval.max(crate::SweepConfig::SHORTEST));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sweeper = on_thread(move || Sweeper::new(producer)).await??;
    let mut outbox = Outbox { bus, dropped: 0, trouble: Trouble::new("delivery") };
    let mut sweeping = Trouble::new("sweep");
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        let (returned, swept) = on_thread(move || {
            let swept = sweeper.sweep();
            (sweeper, swept)
        })
        .await?;
        sweeper = returned;
        match swept {
            Ok(snapshot) => {
                sweeping.over();
                // What is on its way when the end comes may or may not arrive; the next run is another one.
                let _ = shutdown.run_until_cancelled(outbox.deliver(snapshot)).await;
            }
            Err(error) => sweeping.on(&error),
        }
    }
    if outbox.dropped > 0 {
        tracing::warn!(snapshots = outbox.dropped, "snapshots were dropped");
    }
    Ok(())
}

/// Runs what reads files on a thread that may wait for them.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ProducerError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| ProducerError::Panicked { source })
}

struct Outbox {
    bus: Arc<dyn Bus>,
    dropped: i64,
    trouble: Trouble,
}

impl Outbox {
    async fn deliver(&mut self, mut snapshot: GraphSnapshot) {
        if self.dropped > 0 {
            let reason = Reason::Gone.as_str().to_owned();
            snapshot.coverage.push(Coverage { signal: "snapshot".to_owned(), reason, count: self.dropped });
        }
        // Counted before it is sent, so that a delivery that is cut off counts as dropped.
        self.dropped += 1;
        let delivered = match record::of(&snapshot) {
            Ok(record) => self.bus.publish(vec![record], None).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match delivered {
            Ok(()) => {
                self.dropped = 0;
                self.trouble.over();
            }
            Err(error) => self.trouble.on(&error),
        }
    }
}

/// Something that fails again and again is said once, and once that it is over.
struct Trouble {
    what: &'static str,
    times: u64,
}

impl Trouble {
    fn new(what: &'static str) -> Trouble {
        Trouble { what, times: 0 }
    }

    fn on(&mut self, error: &impl fmt::Display) {
        if self.times == 0 {
            tracing::warn!(what = self.what, %error, "failed; trying on");
        }
        self.times += 1;
    }

    fn over(&mut self) {
        if self.times > 0 {
            tracing::info!(what = self.what, failures = self.times, "works again");
        }
        self.times = 0;
    }
}
