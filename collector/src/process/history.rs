//! Earlier state of a process: its counters in the previous sweep, and its memory about a second
//! ago.

use std::time::{Duration, Instant};

use hostread::{Seen, parse::process::MemoryPages};

use super::counters::Counters;
use crate::measure::{IntoMeasured, Measured, Reason};

/// What the counters of a process are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Since {
    /// Its counters in the previous sweep.
    Last(Counters),
    /// Zero: it started after the previous sweep, which began at this time.
    Birth(Instant),
    /// Nothing: its earlier counters are unknown.
    Unknown,
}

/// Private memory at two earlier times, the later one less than [`Growth::SPAN`] ago.
///
/// Growth is computed over that span and not between sweeps, because a program that starts
/// allocates much at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    earlier: Option<(Instant, u64)>,
    later: Option<(Instant, u64)>,
}

impl Growth {
    // One second, with tolerance for sweeps that start slightly early.
    const SPAN: Duration = Duration::from_millis(950);

    /// Adds the memory `at` the previous sweep, and returns what the memory at `now` is compared
    /// with.
    pub fn next(self, at: Instant, memory: Seen<MemoryPages>, now: Instant) -> Growth {
        let later = self.later.or(memory.here().map(|memory| (at, memory.private)));
        match later {
            Some((then, _)) if now.duration_since(then) >= Self::SPAN => Growth { earlier: later, later: None },
            later => Growth { earlier: self.earlier, later },
        }
    }

    /// Returns the growth up to `memory` at `now`, in pages per second; negative if it shrinks. The
    /// initial memory of a new process is not growth.
    pub fn up_to(self, now: Instant, memory: Seen<MemoryPages>) -> Measured {
        let memory = memory.measured()?;
        let (then, before) = self.earlier.ok_or(Reason::FirstSweep)?;
        Ok((memory.private as f64 - before as f64) / now.duration_since(then).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: fn(u64) -> Seen<MemoryPages> = |private| Seen::Here(MemoryPages { resident: private, private });

    #[test]
    fn growth_covers_a_second_at_any_sweep_interval() {
        let start = hostread::clock::monotonic();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut growth = Growth::default();
        let mut rates = Vec::new();
        for millis in (100..=2100).step_by(100) {
            growth = growth.next(at(millis - 100), PAGES(millis - 100), at(millis));
            rates.push(growth.up_to(at(millis), PAGES(millis)));
        }
        assert!(rates[..9].iter().all(|growth| *growth == Err(Reason::FirstSweep)), "{rates:?}");
        assert!(rates[9..].iter().all(|growth| growth.is_ok_and(|pages| (pages - 1000.0).abs() < 1e-6)), "{rates:?}");
        let shrinking = growth.up_to(at(3100), PAGES(0));
        assert!(shrinking.is_ok_and(|pages| pages < 0.0));
    }
}
