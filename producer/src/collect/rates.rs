//! What amounts that only grow tell over the true time between two reads.

use hostread::{Seen, parse::process::IoCounters};

use crate::collect::{
    measure::{IntoMeasured, Measured, Reason},
    process::{Counters, Process, Since},
};

/// What a process did, per second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Time on a CPU, in percent of one core.
    pub cpu_pct: Measured,
    /// Of that, in kernel mode.
    pub system_pct: Measured,
    /// Time on a CPU of children that have exited.
    pub children_pct: Measured,
    /// Page faults that took no I/O.
    pub minor_faults: Measured,
    /// The same of children that have exited: many, if they were many.
    pub children_faults: Measured,
    /// Page faults that took I/O.
    pub major_faults: Measured,
    /// Time its main thread waited for a CPU, in percent.
    pub run_delay_pct: Measured,
    /// Time its main thread waited for block I/O, in percent.
    pub block_delay_pct: Measured,
    /// Turns of its main thread on a CPU.
    pub switches: Measured,
    /// Bytes from storage.
    pub read_bytes: Measured,
    /// Bytes to storage.
    pub write_bytes: Measured,
    /// Bytes written by calls, to whatever.
    pub written: Measured,
    /// Calls that write, while none of them writes a byte.
    pub failing_writes: Measured,
    /// Private memory, in pages; negative if it shrinks.
    pub private_pages: Measured,
}

/// The rates of a process, at `ticks_per_second` of the kernel's clock. `counts_delays` tells whether the kernel counts what
/// tasks wait for block I/O.
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

/// Some of a program's writes may be empty or refused; that all are is told.
fn failing(calls: Measured, bytes: Measured) -> Measured {
    if bytes? > 0.0 { Ok(0.0) } else { calls }
}

/// From one read of a process's amounts to the next.
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
        // A process that was born meanwhile had nothing before.
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

    /// What is told of amounts that went from `before` to `now` in two seconds.
    fn check(
        before: Option<Counters>,
        now: impl Fn(Instant) -> Counters,
        look: impl Fn(&Interval<'_>) -> Measured,
    ) -> Measured {
        let start = before.map_or_else(hostread::clock::monotonic, |before| before.at);
        let since = before.map_or(Since::Birth(start), Since::Last);
        look(&Interval::new(&now(start + Duration::from_secs(2)), &since))
    }

    #[test]
    fn rates_are_over_the_true_time_between_the_reads() {
        let before = counters(hostread::clock::monotonic(), 100);
        let system = |over: &Interval<'_>| over.rate(|counters| counters.stat.system_ticks);
        assert_eq!(check(Some(before), |at| counters(at, 150), system), Ok(25.0));
        assert_eq!(check(None, |at| counters(at, 50), system), Ok(25.0), "from nothing");
        let now = counters(before.at, 150);
        assert_eq!(system(&Interval::new(&now, &Since::Unknown)), Err(Reason::FirstSweep));
    }

    #[test]
    fn what_was_refused_is_no_rate_and_neither_is_what_was_refused_before() {
        let known = counters(hostread::clock::monotonic(), 100);
        let refused = Counters { io: Seen::Denied, ..known };
        let read = |over: &Interval<'_>| over.rate_seen(|counters| counters.io.map(|io| io.storage_read_bytes));
        assert_eq!(check(Some(known), |at| Counters { at, ..refused }, read), Err(Reason::Denied));
        assert_eq!(check(Some(refused), |at| counters(at, 150), read), Err(Reason::FirstSweep));
    }

    #[test]
    fn calls_that_write_fail_if_no_byte_is_written() {
        assert_eq!(failing(Ok(7.0), Ok(0.0)), Ok(7.0));
        assert_eq!(failing(Ok(7.0), Ok(1.0)), Ok(0.0));
        assert_eq!(failing(Err(Reason::Denied), Err(Reason::Denied)), Err(Reason::Denied));
    }
}
