//! Publishes the snapshots of the outbox, one after another, with retries.

use std::time::Duration;

use bus::{Bus, BusError};
use service::{Backoff, OutageLog, report::chain};
use tokio_util::sync::CancellationToken;

use crate::emit::outbox::Outbox;

const MIN_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Publishes until the outbox is closed and empty. Retries failed attempts, after `shutdown` with
/// short delays. Drops snapshots that are too large for the bus.
///
/// # Errors
/// If the bus has stopped for good.
pub async fn deliver(outbox: &Outbox, bus: &dyn Bus, shutdown: &CancellationToken) -> Result<(), BusError> {
    let mut backoff = Backoff::new(MIN_DELAY, MAX_DELAY);
    let mut log = DeliveryLog::new();
    while let Some(parcel) = outbox.take().await {
        match bus.publish(vec![parcel.record.clone()], None).await {
            Ok(()) => {
                outbox.delivered(&parcel);
                backoff.reset();
                log.delivered(outbox);
            }
            Err(BusError::Stopped) => return Err(BusError::Stopped),
            // Only this record is too large; the next one may be accepted.
            Err(error) if error.is_too_large() => {
                outbox.give_up(&parcel);
                log.rejected(&error);
            }
            Err(error) => {
                outbox.put_back(parcel);
                log.outage.failed(&error, error.hint());
                wait(backoff.next_delay(), shutdown).await;
            }
        }
    }
    Ok(())
}

/// Waits for `delay`, but only briefly after `shutdown`.
async fn wait(delay: Duration, shutdown: &CancellationToken) {
    let shortened = async {
        shutdown.cancelled().await;
        tokio::time::sleep(MIN_DELAY).await;
    };
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = shortened => {}
    }
}

/// Logs an outage when it begins, and when all snapshots that were queued during it are delivered.
struct DeliveryLog {
    outage: OutageLog<BusError>,
    is_rejecting: bool,
    /// The count of dropped snapshots when the outbox was last empty.
    dropped_before: u64,
}

impl DeliveryLog {
    fn new() -> DeliveryLog {
        DeliveryLog { outage: OutageLog::new("deliver snapshots"), is_rejecting: false, dropped_before: 0 }
    }

    fn rejected(&mut self, error: &BusError) {
        if !std::mem::replace(&mut self.is_rejecting, true) {
            tracing::warn!(error = %chain(error), hint = error.hint(), "snapshot rejected and dropped");
        }
    }

    fn delivered(&mut self, outbox: &Outbox) {
        if outbox.n_waiting() > 0 {
            return;
        }
        self.outage.succeeded();
        self.is_rejecting = false;
        let dropped = outbox.n_dropped() - self.dropped_before;
        if dropped > 0 {
            tracing::warn!(dropped, "snapshots were dropped; delivery is up to date again");
        }
        self.dropped_before = outbox.n_dropped();
    }
}
