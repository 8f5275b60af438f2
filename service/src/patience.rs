//! Trying again: what fails for a while is told once, and once more when it works.

use std::{
    error::Error,
    future::Future,
    mem::{Discriminant, discriminant},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{Hint, report::chain};

/// Pauses that double from `least` to `most`.
#[derive(Clone, Debug)]
pub struct Pause {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Pause {
    /// The first one is `least`.
    pub const fn new(least: Duration, most: Duration) -> Pause {
        Pause { least, most, next: least }
    }

    /// How long to wait now; the next wait is twice as long.
    pub fn grow(&mut self) -> Duration {
        let now = self.next;
        self.next = now.saturating_mul(2).min(self.most);
        now
    }

    /// Begins again with the shortest.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

/// Tries until it works, and nothing if `shutdown` comes first.
///
/// A trouble that may pass is told with its hint, and again only when it has become another one.
///
/// # Errors
/// The first error that is not transient, with its hint.
pub async fn patiently<T, E, A>(
    shutdown: &CancellationToken,
    mut attempt: impl FnMut() -> A,
    is_transient: impl Fn(&E) -> bool,
    hint: impl Fn(&E) -> Option<&'static str>,
) -> anyhow::Result<Option<T>>
where
    A: Future<Output = Result<T, E>>,
    E: Error + Send + Sync + 'static,
{
    let mut pause = Pause::new(Duration::from_millis(200), Duration::from_secs(30));
    let mut told: Option<Discriminant<E>> = None;
    loop {
        let Some(outcome) = shutdown.run_until_cancelled(attempt()).await else { return Ok(None) };
        match outcome {
            Ok(value) => {
                if told.is_some() {
                    tracing::info!("it works now");
                }
                return Ok(Some(value));
            }
            Err(error) if !is_transient(&error) => return Err(error).hint_from(hint),
            Err(error) => {
                if told.replace(discriminant(&error)) != Some(discriminant(&error)) {
                    tracing::warn!(error = %chain(&error), hint = hint(&error), "cannot begin yet: trying until it works");
                }
            }
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(pause.grow())).await.is_none() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_begin_anew() {
        let mut pause = Pause::new(Duration::from_millis(200), Duration::from_secs(1));
        let millis: Vec<u128> = (0..5).map(|_| pause.grow().as_millis()).collect();
        assert_eq!(millis, [200, 400, 800, 1000, 1000]);
        pause.reset();
        assert_eq!(pause.grow().as_millis(), 200);
    }
}
