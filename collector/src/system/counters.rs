//! Counters of the host that exist once, and their rates.

use std::{collections::BTreeMap, time::Instant};

use signals::Signal;

use crate::measure::{Measured, Reason};

/// Counters of the previous sweep, and its time.
#[derive(Debug, Default)]
pub struct History {
    known: BTreeMap<Signal, u64>,
    at: Option<Instant>,
    elapsed: Option<f64>,
}

impl History {
    /// Begins a sweep: counters are from this time on read at `at`.
    pub fn begin(&mut self, at: Instant) {
        let before = self.at.replace(at);
        self.elapsed = before.map(|before| at.duration_since(before).as_secs_f64()).filter(|seconds| *seconds > 0.0);
    }

    /// Returns the seconds since the previous sweep.
    pub fn elapsed(&self) -> Option<f64> {
        self.elapsed
    }

    /// Returns the rate of a counter per second, multiplied by `unit_size`.
    pub fn rate(&mut self, signal: Signal, now: Result<u64, Reason>, unit_size: f64) -> (Signal, Measured) {
        let before = self.known.remove(&signal);
        let measured = now.and_then(|now| {
            self.known.insert(signal, now);
            let (before, elapsed) = before.zip(self.elapsed).ok_or(Reason::FirstSweep)?;
            Ok(now.saturating_sub(before) as f64 / elapsed * unit_size)
        });
        (signal, measured)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_counter_that_was_missing_gives_no_rate() {
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
