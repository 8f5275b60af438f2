//! Files of the whole host: `pressure/*`, `stat`, `uptime`, `vmstat`, `meminfo`, `loadavg`.

use super::{lines, number, value_of, words};

/// Pressure stall information: averages over ten seconds, in percent of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Time in which at least one task was stalled.
    pub some: Option<f32>,
    /// Time in which all tasks were stalled. Older kernels do not report it for the CPU.
    pub full: Option<f32>,
}

/// Parses a `pressure` file.
pub fn parse_pressure(text: &[u8]) -> Pressure {
    let average = |name: &[u8]| {
        let mut fields = lines(text).map(words).find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
        let average = fields.find_map(|field| field.strip_prefix(b"avg10="))?;
        std::str::from_utf8(average).ok()?.parse().ok().filter(|average: &f32| average.is_finite())
    };
    Pressure { some: average(b"some"), full: average(b"full") }
}

/// CPU time summed over all CPUs, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTicks {
    /// Time spent running tasks and interrupts of this host.
    pub busy: u64,
    /// All time, including idle time and time stolen by the hypervisor.
    pub total: u64,
}

/// CPU time of the host, from the first line of `stat`.
pub fn parse_cpu_ticks(text: &[u8]) -> Option<CpuTicks> {
    let mut fields = words(lines(text).next()?);
    if fields.next()? != b"cpu" {
        return None;
    }
    // user nice system idle iowait irq softirq steal; user time includes guest time.
    let mut ticks = [0_u64; 8];
    for (at, tick) in ticks.iter_mut().enumerate() {
        match fields.next() {
            Some(field) => *tick = number(field)?,
            None if at >= 4 => break,
            None => return None,
        }
    }
    let [user, nice, system, idle, waiting, irq, softirq, stolen] = ticks;
    let busy = [user, nice, system, irq, softirq].into_iter().fold(0, u64::saturating_add);
    Some(CpuTicks { busy, total: [idle, waiting, stolen].into_iter().fold(busy, u64::saturating_add) })
}

/// Task counters of the host, from `stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Processes and threads created since boot.
    pub forks: Option<u64>,
    /// Context switches since boot.
    pub context_switches: Option<u64>,
    /// Runnable tasks, including running ones.
    pub running: Option<u64>,
    /// Tasks that wait for block I/O.
    pub blocked: Option<u64>,
}

/// Parses the task counters in `stat`.
pub fn parse_activity(text: &[u8]) -> Activity {
    let mut activity = Activity::default();
    // A single pass: the line of interrupts is long.
    for line in lines(text) {
        let mut fields = words(line);
        let value = match fields.next() {
            Some(b"processes") => &mut activity.forks,
            Some(b"ctxt") => &mut activity.context_switches,
            Some(b"procs_running") => &mut activity.running,
            Some(b"procs_blocked") => &mut activity.blocked,
            _ => continue,
        };
        *value = fields.next().and_then(number);
    }
    activity
}

/// OOM kills and swap counters since boot, from `vmstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Processes that the OOM killer has killed. Since Linux 4.13.
    pub oom_kills: Option<u64>,
    /// Pages read from swap. `None` on a kernel without swap.
    pub swapped_in: Option<u64>,
    /// Pages written to swap. `None` on a kernel without swap.
    pub swapped_out: Option<u64>,
}

/// Parses `vmstat`.
pub fn parse_paging(text: &[u8]) -> Paging {
    let value = |key: &[u8]| number(value_of(text, key)?);
    Paging { oom_kills: value(b"oom_kill "), swapped_in: value(b"pswpin "), swapped_out: value(b"pswpout ") }
}

/// Time since boot in hundredths of a second, from `uptime`.
pub fn parse_uptime_centis(text: &[u8]) -> Option<u64> {
    let first = words(text).next()?;
    let mut parts = first.splitn(2, |byte| *byte == b'.');
    let seconds = number(parts.next()?)?;
    let centis = match parts.next()? {
        centis @ [_, _] => number(centis)?,
        _ => return None,
    };
    seconds.checked_mul(100)?.checked_add(centis)
}

/// Number of tasks on the host, from `loadavg`.
pub fn parse_task_count(text: &[u8]) -> Option<u64> {
    number(words(text).nth(3)?.splitn(2, |byte| *byte == b'/').nth(1)?)
}

/// Memory that programs can allocate without swapping, in bytes, from `meminfo`. Since Linux 3.14.
pub fn parse_available_memory(text: &[u8]) -> Option<u64> {
    let kilobytes = number(words(value_of(text, b"MemAvailable:")?).next()?)?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pressure_file_without_full_has_some() {
        assert_eq!(
            parse_pressure(b"some avg10=2.10 avg60=0.12 avg300=0.00 total=391926\n"),
            Pressure { some: Some(2.1), full: None }
        );
    }

    #[test]
    fn stolen_time_is_not_busy() {
        let ticks = parse_cpu_ticks(b"cpu  10 1 5 100 4 1 2 30 3 0\ncpu0 1 1 1 1\n");
        assert_eq!(ticks, Some(CpuTicks { busy: 19, total: 153 }));
    }

    #[test]
    fn counters_that_a_kernel_lacks_are_missing() {
        let text = b"cpu  1 2 3 4\nintr 9 0 0\nctxt 500\nbtime 3\nprocesses 7\nprocs_running 2\n";
        let expected = Activity { forks: Some(7), context_switches: Some(500), running: Some(2), blocked: None };
        assert_eq!(parse_activity(text), expected);
        let old = b"nr_free_pages 5\npswpin 3\npswpout 4\n";
        assert_eq!(parse_paging(old), Paging { oom_kills: None, swapped_in: Some(3), swapped_out: Some(4) });
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_pressure(&text), parse_cpu_ticks(&text), parse_uptime_centis(&text), parse_activity(&text), parse_paging(&text));
            let _ = (parse_task_count(&text), parse_available_memory(&text));
        }

        #[test]
        fn formatted_counters_are_parsed_back(forks: u64, switches: u64, running: u64, blocked: u64) {
            let text = format!(
                "cpu  1 2 3 4\nctxt {switches}\nbtime 3\nprocesses {forks}\nprocs_running {running}\nprocs_blocked {blocked}\nsoftirq 9 9\n"
            );
            let expected = [forks, switches, running, blocked].map(Some);
            let Activity { forks, context_switches: switches, running, blocked } = parse_activity(text.as_bytes());
            prop_assert_eq!([forks, switches, running, blocked], expected);
            let [Some(kills), Some(swapped_in), Some(swapped_out), _] = expected else { return Ok(()) };
            let text = format!("oom_kill_disable 0\npswpin {swapped_in}\npswpout {swapped_out}\noom_kill {kills}\n");
            let Paging { oom_kills, swapped_in: pages_in, swapped_out: pages_out } = parse_paging(text.as_bytes());
            prop_assert_eq!([oom_kills, pages_in, pages_out], [Some(kills), Some(swapped_in), Some(swapped_out)]);
        }

        #[test]
        fn formatted_values_are_parsed_back(centis in 0_u64..1 << 50, some in 0_u32..10_000, full in 0_u32..10_000) {
            let uptime = format!("{}.{:02} 77.00\n", centis / 100, centis % 100);
            prop_assert_eq!(parse_uptime_centis(uptime.as_bytes()), Some(centis));
            prop_assert_eq!(parse_task_count(format!("0.32 1.02 1.07 1/{centis} 32580\n").as_bytes()), Some(centis));
            let [some, full] = [some, full].map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100));
            let text = format!("some avg10={some} avg60=0.00 avg300=0.00 total=1\nfull avg10={full} avg60=0.00 avg300=0.00 total=1\n");
            prop_assert_eq!(parse_pressure(text.as_bytes()), Pressure { some: some.parse().ok(), full: full.parse().ok() });
        }
    }
}
