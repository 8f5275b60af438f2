//! Something with the bus that is tried until it succeeds.

use std::time::Duration;

use bus::BusError;
use service::Pause;

/// How often it has failed, and so how long to wait before the next try. The first failure is told, and so is the end of
/// them.
#[derive(Clone, Debug)]
pub struct Retry {
    pause: Pause,
    next: Option<Duration>,
}

impl Retry {
    /// Nothing has failed yet.
    pub fn none() -> Retry {
        Retry { pause: Pause::new(Duration::from_millis(200), Duration::from_secs(30)), next: None }
    }

    /// Waits until it is time for the next try.
    pub async fn wait(&self) {
        if let Some(pause) = self.next {
            tokio::time::sleep(pause).await;
        }
    }

    /// It failed.
    pub fn after(&mut self, error: &BusError, message: &str) {
        if self.next.is_none() {
            tracing::warn!(%error, hint = error.hint(), "{message}");
        }
        self.next = Some(self.pause.grow());
    }

    /// It succeeded.
    pub fn over(self) {
        if self.next.is_some() {
            tracing::info!("the bus works again");
        }
    }
}
