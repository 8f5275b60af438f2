//! Retries with exponential backoff, which log each outage once.

use std::{error::Error, future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{Hint, OutageLog};

/// Delays that double from a minimum to a maximum.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Default for Backoff {
    /// From 200 ms to 30 s.
    fn default() -> Backoff {
        Backoff::new(Duration::from_millis(200), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Delays from `min` to `max`.
    pub const fn new(min: Duration, max: Duration) -> Backoff {
        Backoff { min, max, next: min }
    }

    /// Returns the delay before the next attempt, and doubles the one after it.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.max);
        delay
    }

    /// Starts again with the minimum.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}

/// The state of one operation that is retried: its backoff, and what was logged.
#[derive(Debug)]
pub struct Retry<E> {
    log: OutageLog<E>,
    backoff: Backoff,
    delay: Option<Duration>,
}

impl<E: Error + 'static> Retry<E> {
    /// Retries of `operation`, a verb phrase such as `read snapshots`, with the default backoff.
    pub fn new(operation: &'static str) -> Retry<E> {
        Retry::with_backoff(operation, Backoff::default())
    }

    /// Retries of `operation` with another backoff.
    pub const fn with_backoff(operation: &'static str, backoff: Backoff) -> Retry<E> {
        Retry { log: OutageLog::new(operation), backoff, delay: None }
    }

    /// Notes that an attempt failed; [`OutageLog::failed`] says when that is logged.
    pub fn failed(&mut self, error: &E, hint: Option<&str>) {
        self.log.failed(error, hint);
        self.delay = Some(self.backoff.next_delay());
    }

    /// Notes that an attempt succeeded, and logs the recovery if the one before failed.
    pub fn succeeded(&mut self) {
        self.log.succeeded();
        self.backoff.reset();
        self.delay = None;
    }

    /// Waits until the next attempt is due: not at all, unless the last one failed.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + use<E> {
        let delay = self.delay;
        async move {
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// Repeats `attempt` until it succeeds. Returns `None` if `shutdown` comes first.
///
/// # Errors
/// The first error that is not transient, with its hint.
pub async fn until_success<T, E, A>(
    operation: &'static str,
    shutdown: &CancellationToken,
    mut attempt: impl FnMut() -> A,
    is_transient: impl Fn(&E) -> bool,
    hint: impl Fn(&E) -> Option<&'static str>,
) -> anyhow::Result<Option<T>>
where
    A: Future<Output = Result<T, E>>,
    E: Error + Send + Sync + 'static,
{
    let mut retry = Retry::new(operation);
    loop {
        let Some(outcome) = shutdown.run_until_cancelled(attempt()).await else { return Ok(None) };
        match outcome {
            Ok(value) => {
                retry.succeeded();
                return Ok(Some(value));
            }
            Err(error) if !is_transient(&error) => return Err(error).hint_from(hint),
            Err(error) => retry.failed(&error, hint(&error)),
        }
        if shutdown.run_until_cancelled(retry.wait()).await.is_none() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_until_they_are_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
        let millis: Vec<u128> = (0..5).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(millis, [200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next_delay().as_millis(), 200);
    }
}
