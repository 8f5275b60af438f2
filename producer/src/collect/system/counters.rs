//! Amounts of the host that only grow, each of which there is once.

use std::{collections::BTreeMap, time::Instant};

use signals::Signal;

use crate::collect::measure::{Measured, Reason};

/// What the amounts were in the sweep before, and when that was.
#[derive(Debug, Default)]
pub struct History {
    known: BTreeMap<Signal, u64>,
    at: Option<Instant>,
    elapsed: Option<f64>,
}

impl History {
    /// What is told from now on was read at that time.
    pub fn begin(&mut self, at: Instant) {
        let before = self.at.replace(at);
        self.elapsed = before.map(|before| at.duration_since(before).as_secs_f64()).filter(|seconds| *seconds > 0.0);
    }

    /// Seconds since the sweep before.
    pub fn elapsed(&self) -> Option<f64> {
        self.elapsed
    }

    /// What the amount grew by per second, in so much of the signal's unit each.
    pub fn rate(&mut self, signal: Signal, now: Result<u64, Reason>, each: f64) -> (Signal, Measured) {
        let before = self.known.remove(&signal);
        let measured = now.and_then(|now| {
            self.known.insert(signal, now);
            let (before, elapsed) = before.zip(self.elapsed).ok_or(Reason::FirstSweep)?;
            Ok(now.saturating_sub(before) as f64 / elapsed * each)
        });
        (signal, measured)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_amount_that_was_missing_is_not_known_from_the_sweep_before() {
        let start = Instant::now();
        let mut memory = History::default();
        let mut at = |seconds: u64, now: Result<u64, Reason>| {
            memory.begin(start + Duration::from_secs(seconds));
            memory.rate(Signal::Forks, now, 2.0).1
        };
        assert_eq!(at(0, Ok(10)), Err(Reason::FirstSweep));
        assert_eq!(at(2, Ok(14)), Ok(4.0));
        assert_eq!(at(4, Err(Reason::Gone)), Err(Reason::Gone));
        assert_eq!(at(6, Ok(20)), Err(Reason::FirstSweep));
        assert_eq!(at(7, Ok(3)), Ok(0.0));
    }
}
