//! Rates of the counters of a process, over the actual time between two reads.

use hostread::{Seen, parse::process::IoCounters};

use crate::{
    measure::{IntoMeasured, Measured, Reason},
    process::{Counters, Process, Since},
};

/// Rates of a process, per second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// CPU time, in percent of one core.
    pub cpu_pct: Measured,
    /// CPU time in kernel mode, in percent of one core.
    pub system_pct: Measured,
    /// CPU time of children that have exited, in percent of one core.
    pub children_pct: Measured,
    /// Page faults without I/O.
    pub minor_faults: Measured,
    /// Page faults without I/O of children that have exited. Many short-lived children cause many.
    pub children_faults: Measured,
    /// Page faults with I/O.
    pub major_faults: Measured,
    /// Time the main thread spent runnable but not running, in percent.
    pub run_delay_pct: Measured,
    /// Time the main thread waited for block I/O, in percent.
    pub block_delay_pct: Measured,
    /// Times that the main thread was scheduled.
    pub switches: Measured,
    /// Bytes read from storage.
    pub read_bytes: Measured,
    /// Bytes written to storage.
    pub write_bytes: Measured,
    /// Bytes written by system calls to any target.
    pub written: Measured,
    /// Write calls while none of them writes a byte; else 0.
    pub failing_writes: Measured,
    /// Growth of private memory, in pages; negative if it shrinks.
    pub private_pages: Measured,
}

/// Returns the rates of a process. `ticks_per_second` is the unit of CPU times in `stat`;
/// `counts_delays` tells whether the kernel accounts block I/O delays.
pub fn process_rates(process: &Process, ticks_per_second: f64, counts_delays: bool) -> Rates {
    let now = &process.counters;
    let over = Interval::new(now, &process.since);
    let percent = |ticks: Measured| ticks.map(|ticks| ticks / ticks_per_second * 100.0);
    let block_delay = over.rate_seen(|counters| counters.stat.block_delay_ticks);
    let storage = |pick: fn(IoCounters) -> u64| over.rate_seen(|counters| counters.io.map(pick));
    Rates {
        cpu_pct: percent(over.rate(|counters| counters.stat.user_ticks.saturating_add(counters.stat.system_ticks))),
        system_pct: percent(over.rate(|counters| counters.stat.system_ticks)),
        children_pct: percent(over.rate(|counters| counters.stat.children_ticks)),
        minor_faults: over.rate(|counters| counters.stat.minor_faults),
        children_faults: over.rate(|counters| counters.stat.children_faults),
        major_faults: over.rate(|counters| counters.stat.major_faults),
        run_delay_pct: over
            .rate_seen(|counters| counters.schedule.map(|schedule| schedule.run_delay_nanos))
            .map(|nanos| nanos / 1e9 * 100.0),
        block_delay_pct: percent(if counts_delays { block_delay } else { Err(Reason::Off) }),
        switches: over.rate_seen(|counters| counters.schedule.map(|schedule| schedule.timeslices)),
        read_bytes: storage(|io| io.storage_read_bytes),
        write_bytes: storage(|io| io.storage_written_bytes),
        written: storage(|io| io.written_bytes),
        failing_writes: failing(storage(|io| io.write_calls), storage(|io| io.written_bytes)),
        private_pages: process.growth.up_to(now.at, process.memory),
    }
}

/// Returns the write calls per second if all of them fail: some empty or refused writes are normal.
fn failing(calls: Measured, bytes: Measured) -> Measured {
    if bytes? > 0.0 { Ok(0.0) } else { calls }
}

/// Two reads of the counters of a process, and the time between them.
struct Interval<'c> {
    now: &'c Counters,
    before: Option<&'c Counters>,
    seconds: Option<f64>,
}

impl<'c> Interval<'c> {
    fn new(now: &'c Counters, since: &'c Since) -> Interval<'c> {
        let (before, at) = match since {
            Since::Last(before) => (Some(before), Some(before.at)),
            Since::Birth(at) => (None, Some(*at)),
            Since::Unknown => (None, None),
        };
        let seconds = at.map(|at| now.at.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        Interval { now, before, seconds }
    }

    fn rate(&self, pick: impl Fn(&Counters) -> u64) -> Measured {
        self.rate_seen(|counters| Seen::Here(pick(counters)))
    }

    fn rate_seen(&self, pick: impl Fn(&Counters) -> Seen<u64>) -> Measured {
        let now = pick(self.now).measured()?;
        // The counters of a process that started in between were zero.
        let before = self.before.map_or(Some(0), |before| pick(before).here()).ok_or(Reason::FirstSweep)?;
        let seconds = self.seconds.ok_or(Reason::FirstSweep)?;
        Ok(now.saturating_sub(before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use hostread::{parse::process::Schedstat, process::StatCounters};

    use super::*;

    fn counters(at: Instant, amount: u64) -> Counters {
        Counters {
            at,
            stat: StatCounters {
                user_ticks: amount,
                system_ticks: amount,
                children_ticks: amount,
                minor_faults: amount,
                children_faults: amount,
                major_faults: amount,
                block_delay_ticks: Seen::Here(amount),
            },
            schedule: Seen::Here(Schedstat { cpu_nanos: amount, run_delay_nanos: amount, timeslices: amount }),
            io: Seen::Here(IoCounters {
                written_bytes: 0,
                write_calls: amount,
                storage_read_bytes: amount,
                storage_written_bytes: 2 * amount,
            }),
        }
    }

    /// Returns the rate of counters that went from `before` to `now` in two seconds.
    fn check(
        before: Option<Counters>,
        now: impl Fn(Instant) -> Counters,
        rate: impl Fn(&Interval<'_>) -> Measured,
    ) -> Measured {
        let start = before.map_or_else(hostread::clock::monotonic, |before| before.at);
        let since = before.map_or(Since::Birth(start), Since::Last);
        rate(&Interval::new(&now(start + Duration::from_secs(2)), &since))
    }

    #[test]
    fn rates_cover_the_actual_time_between_reads() {
        let before = counters(hostread::clock::monotonic(), 100);
        let system = |over: &Interval<'_>| over.rate(|counters| counters.stat.system_ticks);
        assert_eq!(check(Some(before), |at| counters(at, 150), system), Ok(25.0));
        assert_eq!(check(None, |at| counters(at, 50), system), Ok(25.0), "started meanwhile");
        let now = counters(before.at, 150);
        assert_eq!(system(&Interval::new(&now, &Since::Unknown)), Err(Reason::FirstSweep));
    }

    #[test]
    fn a_counter_that_was_unreadable_gives_no_rate() {
        let known = counters(hostread::clock::monotonic(), 100);
        let refused = Counters { io: Seen::Denied, ..known };
        let read = |over: &Interval<'_>| over.rate_seen(|counters| counters.io.map(|io| io.storage_read_bytes));
        assert_eq!(check(Some(known), |at| Counters { at, ..refused }, read), Err(Reason::Denied));
        assert_eq!(check(Some(refused), |at| counters(at, 150), read), Err(Reason::FirstSweep));
    }

    #[test]
    fn write_calls_fail_if_no_byte_is_written() {
        assert_eq!(failing(Ok(7.0), Ok(0.0)), Ok(7.0));
        assert_eq!(failing(Ok(7.0), Ok(1.0)), Ok(0.0));
        assert_eq!(failing(Err(Reason::Denied), Err(Reason::Denied)), Err(Reason::Denied));
    }
}
