//! Receives model releases that are published while the scorer runs.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Cursor, Delivery, ErrorClass};
use service::Retry;
use tokio::sync::mpsc;

/// Number of releases to read at once and to queue. Releases are large.
const BATCH: usize = 4;
/// Time limit of one read. The task notices within this time that its receiver was dropped.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a task that receives all releases after `cursor`. It ends when the receiver is dropped,
/// or after a fatal error.
pub fn follow(bus: Arc<dyn Bus>, mut cursor: Cursor) -> mpsc::Receiver<Result<Delivery, BusError>> {
    let (sender, releases) = mpsc::channel(BATCH);
    tokio::spawn(async move {
        let mut retry = Retry::<BusError>::new("read models");
        while !sender.is_closed() {
            retry.wait().await;
            match bus.read(&cursor, BATCH, READ_TIMEOUT).await {
                Ok(page) => {
                    retry.succeeded();
                    cursor = page.next;
                    for release in page.deliveries {
                        if sender.send(Ok(release)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) if error.class() == ErrorClass::Fatal => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
                Err(error) => retry.failed(&error, error.hint()),
            }
        }
    });
    releases
}
