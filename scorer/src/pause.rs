//! How long to wait before something that failed is tried again.

use std::time::Duration;

use bus::BusError;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Grows with every failure. The first failure is told, and so is the end of them.
#[derive(Clone, Copy, Debug)]
pub struct Pause(Duration);

impl Pause {
    /// Nothing has failed yet.
    pub fn none() -> Pause {
        Pause(Duration::ZERO)
    }

    /// Waits as long as it is.
    pub async fn wait(self) {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
    }

    /// Grows, because of `error`.
    pub fn after(&mut self, error: &BusError, message: &str) {
        if self.0.is_zero() {
            tracing::warn!(%error, hint = error.hint(), "{message}");
        }
        self.0 = (self.0 * 2).clamp(SHORTEST, LONGEST);
    }

    /// It did not fail this time.
    pub fn over(self) {
        if !self.0.is_zero() {
            tracing::info!("the bus works again");
        }
    }
}
