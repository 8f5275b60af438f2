//! What amounts that only grow tell over the true time between two reads.

use std::time::{Duration, Instant};

use crate::{
    columns::{Measured, Reason},
    process::Counters,
    read::Seen,
};

/// Since when a process's amounts are counted.
#[derive(Clone, Copy, Debug)]
pub enum Since<'c> {
    /// Since the sweep before, which saw these.
    Last(&'c Counters),
    /// From nothing: it began after the sweep before, which was at that time.
    Birth(Instant),
    /// It is not known.
    Unknown,
}

/// What a process did, per second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Time on a CPU, in percent of one core.
    pub cpu_pct: Measured,
    /// Page faults that took I/O.
    pub major_faults: Measured,
    /// Time its main thread waited for a CPU, in percent.
    pub run_delay_pct: Measured,
    /// Bytes from storage.
    pub read_bytes: Measured,
    /// Bytes to storage.
    pub write_bytes: Measured,
    /// Private memory, in pages; negative if it shrinks.
    pub private_pages: Measured,
}

/// The rates of a process whose amounts are `now`, at `ticks_per_second` of the kernel's clock.
pub fn of(now: &Counters, since: Since<'_>, ticks_per_second: f64) -> Rates {
    let (before, at) = match since {
        Since::Last(before) => (Some(before), Some(before.at)),
        Since::Birth(at) => (None, Some(at)),
        Since::Unknown => (None, None),
    };
    let elapsed = at.map(|at| now.at.duration_since(at)).filter(|elapsed| *elapsed > Duration::ZERO);
    let rate = |now: u64, before: Option<u64>| {
        let elapsed = elapsed.ok_or(Reason::FirstSweep)?;
        // A process that was born meanwhile had nothing before.
        let before = before.unwrap_or(0);
        Ok(now.saturating_sub(before) as f64 / elapsed.as_secs_f64())
    };
    let seen_rate = |now: Seen<u64>, before: Option<Seen<u64>>| {
        let now = now.measured()?;
        match before {
            Some(before) => rate(now, Some(before.here().ok_or(Reason::FirstSweep)?)),
            None => rate(now, None),
        }
    };
    let storage =
        |pick: fn((u64, u64)) -> u64| seen_rate(now.storage.map(pick), before.map(|before| before.storage.map(pick)));
    Rates {
        cpu_pct: rate(now.cpu_ticks, before.map(|before| before.cpu_ticks))
            .map(|ticks| ticks / ticks_per_second * 100.0),
        major_faults: rate(now.major_faults, before.map(|before| before.major_faults)),
        run_delay_pct: seen_rate(now.run_delay, before.map(|before| before.run_delay)).map(|nanos| nanos / 1e9 * 100.0),
        read_bytes: storage(|(read, _)| read),
        write_bytes: storage(|(_, written)| written),
        private_pages: growth(now.private_pages, before.map(|before| before.private_pages), elapsed),
    }
}

/// Unlike what only grows, memory that a new process has is not growth: it had to begin with something.
fn growth(now: Seen<u64>, before: Option<Seen<u64>>, elapsed: Option<Duration>) -> Measured {
    let now = now.measured()?;
    let before = before.and_then(Seen::here).ok_or(Reason::FirstSweep)?;
    let elapsed = elapsed.ok_or(Reason::FirstSweep)?;
    Ok((now as f64 - before as f64) / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn counters(at: Instant, amount: u64) -> Counters {
        Counters {
            at,
            cpu_ticks: amount,
            major_faults: amount,
            run_delay: Seen::Here(amount),
            storage: Seen::Here((amount, 2 * amount)),
            private_pages: Seen::Here(amount),
        }
    }

    #[test]
    fn rates_are_over_the_true_time_between_the_reads() {
        let start = Instant::now();
        let before = counters(start, 100);
        let now = counters(start + Duration::from_secs(2), 150);
        let rates = of(&now, Since::Last(&before), 100.0);
        assert_eq!((rates.cpu_pct, rates.major_faults), (Ok(25.0), Ok(25.0)));
        assert_eq!((rates.read_bytes, rates.write_bytes, rates.private_pages), (Ok(25.0), Ok(50.0), Ok(25.0)));
    }

    #[test]
    fn a_process_born_after_the_last_sweep_counts_from_there_but_does_not_grow() {
        let start = Instant::now();
        let rates = of(&counters(start + Duration::from_secs(1), 50), Since::Birth(start), 100.0);
        assert_eq!((rates.cpu_pct, rates.private_pages), (Ok(50.0), Err(Reason::FirstSweep)));
    }

    #[test]
    fn the_first_sweep_knows_no_rates_and_shrinking_is_negative_growth() {
        let start = Instant::now();
        let now = counters(start + Duration::from_secs(1), 50);
        assert_eq!(of(&now, Since::Unknown, 100.0).cpu_pct, Err(Reason::FirstSweep));
        assert_eq!(of(&now, Since::Last(&counters(start, 60)), 100.0).private_pages, Ok(-10.0));
        let mut denied = now;
        denied.storage = Seen::Denied;
        assert_eq!(of(&denied, Since::Last(&counters(start, 60)), 100.0).read_bytes, Err(Reason::Denied));
        assert_eq!(of(&now, Since::Last(&denied), 100.0).read_bytes, Err(Reason::FirstSweep));
    }
}
