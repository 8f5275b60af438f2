//! The releases that come while the scorer runs.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Cursor, Delivery};
use service::Retry;
use tokio::sync::mpsc;

/// A release is large, and the next ones can wait.
const AT_ONCE: usize = 4;
/// How long one look for a release waits.
const LOOK: Duration = Duration::from_secs(5);

/// The releases behind `cursor`, as they come. Ends when nobody receives them any more.
pub fn follow(bus: Arc<dyn Bus>, mut cursor: Cursor) -> mpsc::Receiver<Delivery> {
    let (sender, releases) = mpsc::channel(AT_ONCE);
    tokio::spawn(async move {
        let mut retry = Retry::<BusError>::new("read models");
        while !sender.is_closed() {
            retry.wait().await;
            match bus.read(&cursor, AT_ONCE, LOOK).await {
                Ok(page) => {
                    retry.succeeded();
                    cursor = page.next;
                    for release in page.deliveries {
                        if sender.send(release).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => retry.failed(&error, error.hint()),
            }
        }
    });
    releases
}
