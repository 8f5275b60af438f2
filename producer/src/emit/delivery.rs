//! From the outbox to the bus, one snapshot after another, however often it takes.

use std::time::Duration;

use bus::{Bus, BusError};
use service::{Backoff, report::chain};
use tokio_util::sync::CancellationToken;

use crate::emit::outbox::Outbox;

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Delivers until the outbox is closed and empty. What the bus will never take is given up; all else is tried again,
/// after `shutdown` without long pauses.
///
/// # Errors
/// If the bus has stopped for good.
pub async fn deliver(outbox: &Outbox, bus: &dyn Bus, shutdown: &CancellationToken) -> Result<(), BusError> {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
    let mut trouble = Trouble::default();
    while let Some(parcel) = outbox.take().await {
        match bus.publish(vec![parcel.record.clone()], None).await {
            Ok(()) => {
                outbox.delivered(&parcel);
                backoff.reset();
                trouble.delivered(outbox);
            }
            Err(BusError::Stopped) => return Err(BusError::Stopped),
            // The record is to blame: another may be taken, this one never.
            Err(error) if error.is_too_large() => {
                outbox.give_up(&parcel);
                trouble.refused(&error);
            }
            Err(error) => {
                outbox.put_back(parcel);
                trouble.failed(&error);
                rest(backoff.next_delay(), shutdown).await;
            }
        }
    }
    Ok(())
}

/// Waits, but not for long once the end has come.
async fn rest(pause: Duration, shutdown: &CancellationToken) {
    let hurried = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHORTEST_PAUSE).await;
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = hurried => {}
    }
}

/// Told when it begins, and when all that has waited because of it is delivered.
#[derive(Default)]
struct Trouble {
    is_failing: bool,
    is_refusing: bool,
    late: u64,
    dropped_before: u64,
}

impl Trouble {
    fn failed(&mut self, error: &BusError) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let hint = error.hint();
            tracing::warn!(error = %chain(error), hint, "snapshots cannot be delivered: they wait, and it is tried on");
        }
    }

    fn refused(&mut self, error: &BusError) {
        if !std::mem::replace(&mut self.is_refusing, true) {
            tracing::warn!(error = %chain(error), hint = error.hint(), "a snapshot is refused for good, and dropped");
        }
    }

    fn delivered(&mut self, outbox: &Outbox) {
        let dropped = outbox.n_dropped() - self.dropped_before;
        self.late += u64::from(self.is_failing || dropped > 0);
        if outbox.n_waiting() > 0 {
            return;
        }
        if self.is_failing || dropped > 0 {
            tracing::info!(late = self.late, dropped, "snapshots are delivered again");
        }
        *self = Trouble { dropped_before: outbox.n_dropped(), ..Trouble::default() };
    }
}
