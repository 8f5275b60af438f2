//! Values from two readings of a control group, as rates over the actual time between them.

use hostread::{
    Seen,
    cgroups::{CgroupLimits, CgroupUsage},
    parse::system::Pressure,
};
use signals::Signal;

use crate::measure::{IntoMeasured, Measured, Reason};

/// Returns the values of a group. A value relative to a limit exists only if there is a limit.
pub fn from_readings(
    now: &CgroupUsage,
    before: Option<&CgroupUsage>,
    limits: &CgroupLimits,
) -> Vec<(Signal, Measured)> {
    let growth = Growth::new(now, before);
    let mut figures = vec![
        (
            Signal::ThrottledPct,
            growth.per_second(|reading| reading.throttling.map(|it| it.nanos)).map(|nanos| nanos / 1e7),
        ),
        (Signal::ThrottledPeriodsPct, throttled_periods(now, before)),
        (Signal::GroupMemory, now.memory_bytes.measured().map(|bytes| bytes as f64)),
        (Signal::GroupOomKills, growth.per_second(|reading| reading.oom_kills)),
        (Signal::MemoryLimitHits, growth.per_second(|reading| reading.memory_limit_hits)),
        (Signal::Frozen, now.is_frozen.measured().map(|frozen| f64::from(u8::from(frozen)))),
        (Signal::GroupReadBytes, growth.per_second(|reading| reading.io.map(|io| io.read))),
        (Signal::GroupWriteBytes, growth.per_second(|reading| reading.io.map(|io| io.written))),
    ];
    let cpu = growth.per_second(|reading| reading.cpu_nanos).map(|nanos| nanos / 1e9);
    let limit_usages = [
        (Signal::CpuQuotaUsedPct, usage_pct(cpu, limits.cores)),
        (
            Signal::MemoryLimitUsedPct,
            usage_pct(amount(now.memory_bytes), limits.memory_bytes.map(|limit| limit.map(|it| it as f64))),
        ),
        (Signal::PidsLimitUsedPct, usage_pct(amount(now.pids), limits.pids.map(|limit| limit.map(|it| it as f64)))),
    ];
    figures.extend(limit_usages.into_iter().filter_map(|(signal, share)| Some((signal, share?))));
    figures.extend(pressures(now));
    figures
}

/// Growth of counters per second.
struct Growth<'r> {
    now: &'r CgroupUsage,
    before: Option<(&'r CgroupUsage, f64)>,
}

impl<'r> Growth<'r> {
    fn new(now: &'r CgroupUsage, before: Option<&'r CgroupUsage>) -> Growth<'r> {
        let elapsed = |before: &CgroupUsage| now.read_at.duration_since(before.read_at).as_secs_f64();
        Growth { now, before: before.map(|before| (before, elapsed(before))).filter(|(_, elapsed)| *elapsed > 0.0) }
    }

    fn per_second(&self, amount: impl Fn(&CgroupUsage) -> Seen<u64>) -> Measured {
        let now = amount(self.now).measured()?;
        let (before, elapsed) = self.before.ok_or(Reason::FirstSweep)?;
        let before = amount(before).here().ok_or(Reason::FirstSweep)?;
        // The counters of a recreated group start at zero.
        Ok(now.saturating_sub(before) as f64 / elapsed)
    }
}

/// Returns the percentage of scheduling periods in which the group was throttled; 0 if it did not
/// run.
fn throttled_periods(now: &CgroupUsage, before: Option<&CgroupUsage>) -> Measured {
    let now = now.throttling.measured()?;
    let before = before.and_then(|before| before.throttling.here()).ok_or(Reason::FirstSweep)?;
    let periods = now.periods.saturating_sub(before.periods);
    let throttled = now.throttled.saturating_sub(before.throttled);
    Ok(if periods == 0 { 0.0 } else { throttled as f64 / periods as f64 * 100.0 })
}

fn amount(seen: Seen<u64>) -> Measured {
    seen.measured().map(|amount| amount as f64)
}

/// Returns the usage in percent of a limit, or `None` if there is no limit.
fn usage_pct(used: Measured, limit: Seen<Option<f64>>) -> Option<Measured> {
    match limit.measured() {
        Ok(None) => None,
        Ok(Some(limit)) if limit > 0.0 => Some(used.map(|used| used / limit * 100.0)),
        // A limit of zero has no percentage.
        Ok(Some(_)) => Some(Err(Reason::Unsupported)),
        Err(reason) => Some(Err(reason)),
    }
}

fn pressures(now: &CgroupUsage) -> impl Iterator<Item = (Signal, Measured)> {
    let average = |pressure: Seen<Pressure>, pick: fn(&Pressure) -> Option<f32>| {
        pressure.measured().and_then(|pressure| pick(&pressure).map(f64::from).ok_or(Reason::Unsupported))
    };
    let [cpu, memory, io] = now.pressure;
    let measures = [
        (cpu, Signal::GroupPsiCpuSome, Signal::GroupPsiCpuFull),
        (memory, Signal::GroupPsiMemorySome, Signal::GroupPsiMemoryFull),
        (io, Signal::GroupPsiIoSome, Signal::GroupPsiIoFull),
    ];
    measures.into_iter().flat_map(move |(pressure, some, full)| {
        [(some, average(pressure, |pressure| pressure.some)), (full, average(pressure, |pressure| pressure.full))]
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use hostread::parse::cgroup::{IoBytes, Throttling};

    use super::*;

    const LIMITS: CgroupLimits =
        CgroupLimits { cores: Seen::Here(Some(0.5)), memory_bytes: Seen::Here(Some(4000)), pids: Seen::Here(None) };

    fn reading(at: Instant, amount: u64) -> CgroupUsage {
        let throttling = Throttling { periods: 2 * amount, throttled: amount, nanos: amount * 1_000_000 };
        let pressure = Pressure { some: Some(1.5), full: None };
        CgroupUsage {
            read_at: at,
            throttling: Seen::Here(throttling),
            cpu_nanos: Seen::Here(amount * 10_000_000),
            memory_bytes: Seen::Here(1000),
            oom_kills: Seen::Here(amount),
            memory_limit_hits: Seen::Denied,
            pids: Seen::Unsupported,
            is_frozen: Seen::Here(true),
            io: Seen::Here(IoBytes { read: amount, written: 2 * amount }),
            pressure: [Seen::Here(pressure), Seen::Unsupported, Seen::Gone],
        }
    }

    fn figure(figures: &[(Signal, Measured)], signal: Signal) -> Option<Measured> {
        figures.iter().find(|(one, _)| *one == signal).map(|(_, measured)| *measured)
    }

    #[test]
    fn rates_cover_the_actual_time_between_readings() {
        let start = Instant::now();
        let before = reading(start, 100);
        let now = reading(start + Duration::from_secs(2), 150);
        let figures = from_readings(&now, Some(&before), &LIMITS);
        for (signal, expected) in [
            (Signal::ThrottledPct, Ok(2.5)),
            (Signal::ThrottledPeriodsPct, Ok(50.0)),
            (Signal::CpuQuotaUsedPct, Ok(50.0)),
            (Signal::MemoryLimitUsedPct, Ok(25.0)),
            (Signal::GroupOomKills, Ok(25.0)),
            (Signal::MemoryLimitHits, Err(Reason::Denied)),
            (Signal::GroupWriteBytes, Ok(50.0)),
            (Signal::Frozen, Ok(1.0)),
            (Signal::GroupPsiCpuSome, Ok(1.5)),
            (Signal::GroupPsiCpuFull, Err(Reason::Unsupported)),
            (Signal::GroupPsiIoSome, Err(Reason::Gone)),
        ] {
            assert_eq!(figure(&figures, signal), Some(expected), "{signal:?}");
        }
    }

    #[test]
    fn a_group_without_a_limit_has_no_usage_of_it_and_an_unreadable_limit_is_missing() {
        let now = reading(Instant::now(), 100);
        let figures = from_readings(&now, None, &CgroupLimits { cores: Seen::Denied, ..LIMITS });
        assert_eq!(figure(&figures, Signal::PidsLimitUsedPct), None);
        assert_eq!(figure(&figures, Signal::CpuQuotaUsedPct), Some(Err(Reason::Denied)));
    }

    #[test]
    fn the_first_reading_has_no_rates_and_a_recreated_group_starts_at_zero() {
        let start = Instant::now();
        let now = reading(start + Duration::from_secs(1), 50);
        let rate = |before| figure(&from_readings(&now, before, &LIMITS), Signal::ThrottledPct);
        assert_eq!(rate(None), Some(Err(Reason::FirstSweep)));
        assert_eq!(rate(Some(&reading(start, 60))), Some(Ok(0.0)));
        let idle = from_readings(&now, Some(&reading(start, 50)), &LIMITS);
        assert_eq!(figure(&idle, Signal::ThrottledPeriodsPct), Some(Ok(0.0)));
    }
}
