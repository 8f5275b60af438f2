//! Delivers queued snapshots to the bus, in order, with retries.

use std::time::Duration;

use bus::{Bus, BusError, ErrorClass};
use service::{Backoff, OutageLog, report::chain};
use tokio_util::sync::CancellationToken;

use crate::emit::outbox::Outbox;

const MIN_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Delivers until the outbox is closed and empty. Drops records that the bus will never accept and
/// retries all others; after `shutdown` without long pauses.
///
/// # Errors
/// The first fatal error of the bus.
pub async fn deliver(outbox: &Outbox, bus: &dyn Bus, shutdown: &CancellationToken) -> Result<(), BusError> {
    let mut backoff = Backoff::new(MIN_DELAY, MAX_DELAY);
    let mut log = DeliveryLog::new();
    while let Some(snapshot) = outbox.next().await {
        match bus.publish(vec![snapshot.record.clone()], None).await {
            Ok(()) => {
                outbox.delivered(&snapshot);
                backoff.reset();
                log.delivered(outbox);
            }
            Err(error) => match error.class() {
                ErrorClass::Fatal => return Err(error),
                ErrorClass::Rejected => {
                    outbox.give_up(&snapshot);
                    log.rejected(&error);
                }
                ErrorClass::Transient | ErrorClass::Superseded => {
                    outbox.put_back(snapshot);
                    log.outage.failed(&error, error.hint());
                    wait(backoff.next_delay(), shutdown).await;
                }
            },
        }
    }
    Ok(())
}

/// Waits for the pause, or a short time after shutdown.
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

/// Logs an outage when it begins, and again when everything queued because of it is delivered.
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
