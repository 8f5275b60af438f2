//! Files of control groups, version 1 and 2, and `/proc/PID/cgroup`.

use super::{lines, number, signed, value_of, words};

/// The groups of a process, from `/proc/PID/cgroup`: controllers, empty for version 2, and path.
pub fn parse_memberships(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(text).filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        path.starts_with(b"/").then(|| (controllers, path.strip_suffix(b" (deleted)").unwrap_or(path)))
    })
}

/// CPU throttling of a control group by its quota, since the group was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttling {
    /// Number of quota periods in which the group had runnable tasks.
    pub periods: u64,
    /// Number of quota periods in which the group was throttled.
    pub throttled: u64,
    /// Time for which the group was throttled, summed over all CPUs, in nanoseconds.
    pub nanos: u64,
}

/// Throttling, from `cpu.stat`. `None` in version 2 if the `cpu` controller is not enabled.
pub fn parse_throttling(text: &[u8]) -> Option<Throttling> {
    let value = |key: &[u8]| number(value_of(text, key)?);
    let micros = || value(b"throttled_usec ").map(|micros| micros.saturating_mul(1000));
    Some(Throttling {
        periods: value(b"nr_periods ")?,
        throttled: value(b"nr_throttled ")?,
        nanos: micros().or_else(|| value(b"throttled_time "))?,
    })
}

/// CPU time in nanoseconds, from `cpu.stat` of version 2.
pub fn parse_cpu_nanos(text: &[u8]) -> Option<u64> {
    number(value_of(text, b"usage_usec ")?).map(|micros| micros.saturating_mul(1000))
}

/// CPU quota in cores, from `cpu.max`. `Some(None)`: unlimited.
pub fn parse_cpu_max(text: &[u8]) -> Option<Option<f64>> {
    let mut fields = words(text);
    let quota = fields.next()?;
    let period = number(fields.next()?)?;
    if quota == b"max" { Some(None) } else { quota_in_cores(number(quota)?, period).map(Some) }
}

/// CPU quota in microseconds per period, from `cpu.cfs_quota_us`. `Some(None)`: unlimited.
pub fn parse_cfs_quota(text: &[u8]) -> Option<Option<u64>> {
    signed(text.trim_ascii()).map(|micros| u64::try_from(micros).ok())
}

/// Converts a quota per period to cores. `None` if the period is 0.
pub fn quota_in_cores(quota: u64, period: u64) -> Option<f64> {
    (period > 0).then(|| quota as f64 / period as f64)
}

/// Limit of memory or processes. `Some(None)`: unlimited, which the memory controller of version 1
/// writes as a huge number.
pub fn parse_limit(text: &[u8]) -> Option<Option<u64>> {
    const HUGE: u64 = 1 << 62;
    match text.trim_ascii() {
        b"max" => Some(None),
        digits => number(digits).map(|limit| (limit < HUGE).then_some(limit)),
    }
}

/// The number in a file that holds nothing else.
pub fn parse_amount(text: &[u8]) -> Option<u64> {
    number(text.trim_ascii())
}

/// Counters of memory limits and OOM kills of a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Number of processes that the OOM killer has killed.
    pub oom_kills: u64,
    /// How often the usage reached `memory.high` or `memory.max`, so that memory was reclaimed.
    pub limit_hits: u64,
}

/// Memory events, from `memory.events` of version 2.
pub fn parse_memory_events(text: &[u8]) -> Option<MemoryEvents> {
    let value = |key: &[u8]| number(value_of(text, key)?);
    let limit_hits = value(b"high ")?.saturating_add(value(b"max ")?);
    Some(MemoryEvents { oom_kills: value(b"oom_kill ")?, limit_hits })
}

/// Number of processes that the OOM killer has killed, from `memory.oom_control` of version 1.
/// Older kernels do not report it.
pub fn parse_oom_kills(text: &[u8]) -> Option<u64> {
    number(value_of(text, b"oom_kill ")?)
}

/// Whether a group is frozen, from `cgroup.events` of version 2. Older kernels do not report it.
pub fn parse_frozen(text: &[u8]) -> Option<bool> {
    number(value_of(text, b"frozen ")?).map(|frozen| frozen == 1)
}

/// Whether a group is frozen or about to be, from `freezer.state` of version 1.
pub fn parse_freezer_state(text: &[u8]) -> Option<bool> {
    match text.trim_ascii() {
        b"THAWED" => Some(false),
        b"FROZEN" | b"FREEZING" => Some(true),
        _ => None,
    }
}

/// Bytes read from and written to block devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoBytes {
    /// Bytes read from all block devices since the group was created.
    pub read: u64,
    /// Bytes written to all block devices since the group was created.
    pub written: u64,
}

/// Bytes read and written on all devices, from `io.stat` of version 2.
pub fn parse_io_stat(text: &[u8]) -> Option<IoBytes> {
    let sum = |key: &[u8]| words(text).filter_map(|word| number(word.strip_prefix(key)?)).fold(0, u64::saturating_add);
    Some(IoBytes { read: sum(b"rbytes="), written: sum(b"wbytes=") })
}

/// Bytes read and written on all devices, from `blkio.throttle.io_service_bytes` of version 1.
pub fn parse_io_service_bytes(text: &[u8]) -> Option<IoBytes> {
    let sum = |operation: &[u8]| {
        let amount = |line| {
            let mut fields = words(line).skip(1);
            if fields.next()? == operation { number(fields.next()?) } else { None }
        };
        lines(text).filter_map(amount).fold(0, u64::saturating_add)
    };
    Some(IoBytes { read: sum(b"Read"), written: sum(b"Write") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(read: u64, written: u64) -> IoBytes {
        IoBytes { read, written }
    }

    #[test]
    fn each_hierarchy_has_its_own_path() {
        let text = b"4:cpu,cpuacct:/a\n3:name=systemd:/b:c\n0::/gone (deleted)\nnonsense\n1:memory:x\n";
        let expected: [(&[u8], &[u8]); 3] = [(b"cpu,cpuacct", b"/a"), (b"name=systemd", b"/b:c"), (b"", b"/gone")];
        assert_eq!(parse_memberships(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_the_controller_cpu_stat_has_only_cpu_time() {
        let text = b"usage_usec 7\nuser_usec 5\nsystem_usec 2\n";
        assert_eq!((parse_throttling(text), parse_cpu_nanos(text)), (None, Some(7000)));
    }

    #[test]
    fn unlimited_is_written_in_several_ways() {
        assert_eq!((parse_cpu_max(b"max 100000\n"), parse_cfs_quota(b"-1\n")), (Some(None), Some(None)));
        assert_eq!((parse_limit(b"max\n"), parse_limit(b"9223372036854771712\n")), (Some(None), Some(None)));
        assert_eq!((parse_cpu_max(b"1 0\n"), parse_limit(b"-1\n"), parse_cfs_quota(b"x")), (None, None, None));
    }

    #[test]
    fn io_bytes_are_summed_over_devices_without_totals() {
        let unified = b"8:0 rbytes=10 wbytes=1 rios=1 wios=1 dbytes=9 dios=1\n8:16 \n253:0 rbytes=5 wbytes=2 rios=1\n";
        assert_eq!((parse_io_stat(unified), parse_io_stat(b"")), (Some(bytes(15, 3)), Some(bytes(0, 0))));
        let old = b"8:0 Read 10\n8:0 Write 1\n8:0 Sync 11\n8:0 Total 11\n8:16 Read 5\n8:16 Write 2\nTotal 18\n";
        assert_eq!(parse_io_service_bytes(old), Some(bytes(15, 3)));
    }

    #[test]
    fn a_group_that_is_freezing_counts_as_frozen() {
        assert_eq!(
            [&b"FREEZING\n"[..], b"FROZEN\n", b"THAWED\n", b"?"].map(parse_freezer_state),
            [Some(true), Some(true), Some(false), None]
        );
        assert_eq!((parse_frozen(b"populated 1\nfrozen 1\n"), parse_frozen(b"populated 1\n")), (Some(true), None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (parse_memberships(&text).count(), parse_throttling(&text), parse_cpu_nanos(&text), parse_cpu_max(&text), parse_cfs_quota(&text));
            let _ = (parse_limit(&text), parse_amount(&text), parse_memory_events(&text), parse_oom_kills(&text), parse_frozen(&text));
            let _ = (parse_freezer_state(&text), parse_io_stat(&text), parse_io_service_bytes(&text));
        }

        #[test]
        fn formatted_values_are_parsed_back(n in 0_u64..1 << 50, m in 0_u64..1 << 50, k in 1_u64..1 << 50) {
            let expected = Throttling { periods: n, throttled: m, nanos: k * 1000 };
            let unified = format!("usage_usec {m}\nnr_periods {n}\nnr_throttled {m}\nthrottled_usec {k}\nnr_bursts 0\n");
            prop_assert_eq!((parse_throttling(unified.as_bytes()), parse_cpu_nanos(unified.as_bytes())), (Some(expected), Some(m * 1000)));
            let old = format!("nr_periods {n}\nnr_throttled {m}\nthrottled_time {}\n", k * 1000);
            prop_assert_eq!(parse_throttling(old.as_bytes()), Some(expected));
            prop_assert_eq!(parse_cpu_max(format!("{n} {k}\n").as_bytes()), Some(quota_in_cores(n, k)));
            prop_assert_eq!(parse_cfs_quota(format!("{n}\n").as_bytes()), Some(Some(n)));
            let amount_text = format!("{n}\n");
            prop_assert_eq!((parse_limit(amount_text.as_bytes()), parse_amount(amount_text.as_bytes())), (Some(Some(n)), Some(n)));
            let events = format!("low 0\nhigh {n}\nmax {m}\noom 4\noom_kill {k}\noom_group_kill 0\n");
            prop_assert_eq!(parse_memory_events(events.as_bytes()), Some(MemoryEvents { oom_kills: k, limit_hits: n + m }));
            let control = format!("oom_kill_disable 0\nunder_oom 0\noom_kill {k}\n");
            prop_assert_eq!(parse_oom_kills(control.as_bytes()), Some(k));
            prop_assert_eq!(parse_io_stat(format!("8:0 rbytes={n} wbytes={m} rios=0\n").as_bytes()), Some(bytes(n, m)));
            let io = format!("8:0 Read {n}\n8:0 Write {m}\n8:0 Total {}\nTotal {}\n", n + m, n + m);
            prop_assert_eq!(parse_io_service_bytes(io.as_bytes()), Some(bytes(n, m)));
        }
    }
}
