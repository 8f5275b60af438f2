//! What a process is compared with: its amounts in the sweep before, and its memory a second ago.

use std::time::{Duration, Instant};

use hostread::{Seen, parse::process::MemoryPages};

use super::counters::Counters;
use crate::collect::measure::{IntoMeasured, Measured, Reason};

/// Since when a process's amounts are counted.
#[derive(Clone, Copy, Debug)]
pub enum Since {
    /// Since the sweep before, which saw these.
    Last(Counters),
    /// From nothing: it began after the sweep before, which was at that time.
    Birth(Instant),
    /// It is not known.
    Unknown,
}

/// Private memory at earlier times, the later one less than [`Growth::SPAN`] ago.
///
/// Growth is told over that span and not from sweep to sweep: a program that starts takes its memory in a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    earlier: Option<(Instant, u64)>,
    later: Option<(Instant, u64)>,
}

impl Growth {
    // A second, for sweeps once a second that are a little early.
    const SPAN: Duration = Duration::from_millis(950);

    /// What the memory at `now` is to be compared with, once that of the sweep before is known.
    pub fn next(self, at: Instant, memory: Seen<MemoryPages>, now: Instant) -> Growth {
        let later = self.later.or(memory.here().map(|memory| (at, memory.private)));
        match later {
            Some((then, _)) if now.duration_since(then) >= Self::SPAN => Growth { earlier: later, later: None },
            later => Growth { earlier: self.earlier, later },
        }
    }

    /// Pages a second, up to `memory` at `now`; negative if it shrinks. Memory that a new process has is no growth: it had to begin
    /// with something.
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
    fn memory_grows_over_a_second_however_often_it_is_looked_at() {
        let start = hostread::clock::monotonic();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut growth = Growth::default();
        let mut told = Vec::new();
        for millis in (100..=2100).step_by(100) {
            growth = growth.next(at(millis - 100), PAGES(millis - 100), at(millis));
            told.push(growth.up_to(at(millis), PAGES(millis)));
        }
        assert!(told[..9].iter().all(|growth| *growth == Err(Reason::FirstSweep)), "{told:?}");
        assert!(told[9..].iter().all(|growth| growth.is_ok_and(|pages| (pages - 1000.0).abs() < 1e-6)), "{told:?}");
        let shrinking = growth.up_to(at(3100), PAGES(0));
        assert!(shrinking.is_ok_and(|pages| pages < 0.0));
    }
}
