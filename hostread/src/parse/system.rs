//! The host's own files: `pressure/*`, `stat`, `uptime`, `vmstat`, `loadavg`.

use super::{lines, number, value_of, words};

/// The ten-second averages of a `pressure` file, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Time in which some task was held up.
    pub some: Option<f32>,
    /// Time in which all were; older kernels do not tell it of the CPU.
    pub full: Option<f32>,
}

/// Reads a `pressure` file.
pub fn parse_pressure(text: &[u8]) -> Pressure {
    let average = |name: &[u8]| {
        let mut fields = lines(text).map(words).find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
        let average = fields.find_map(|field| field.strip_prefix(b"avg10="))?;
        std::str::from_utf8(average).ok()?.parse().ok().filter(|average: &f32| average.is_finite())
    };
    Pressure { some: average(b"some"), full: average(b"full") }
}

/// Clock ticks of all CPUs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTicks {
    /// Spent on work, the host's own (not on other guests of its hypervisor).
    pub busy: u64,
    /// All of them, idle and stolen ones included.
    pub total: u64,
}

/// The first line of the host's `stat`.
pub fn parse_cpu_ticks(text: &[u8]) -> Option<CpuTicks> {
    let mut fields = words(lines(text).next()?);
    if fields.next()? != b"cpu" {
        return None;
    }
    // user nice system idle iowait irq softirq steal; guest time is in user time already.
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

/// What the host's `stat` tells beside clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Processes and threads begun since boot.
    pub forks: Option<u64>,
    /// Switches from one task to another since boot.
    pub context_switches: Option<u64>,
    /// Tasks that run or could.
    pub running: Option<u64>,
    /// Tasks that wait for storage.
    pub blocked: Option<u64>,
}

/// Reads `stat`.
pub fn parse_activity(text: &[u8]) -> Activity {
    let mut activity = Activity::default();
    // One look at each line: that of interrupts is long.
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

/// What `vmstat` tells, since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Processes killed for want of memory; told from Linux 4.13 on.
    pub oom_kills: Option<u64>,
    /// Pages fetched from swap.
    pub swapped_in: Option<u64>,
    /// Pages sent to swap; neither is told by a kernel without swap.
    pub swapped_out: Option<u64>,
}

/// Reads `vmstat`.
pub fn parse_paging(text: &[u8]) -> Paging {
    let value = |key: &[u8]| number(value_of(text, key)?);
    Paging { oom_kills: value(b"oom_kill "), swapped_in: value(b"pswpin "), swapped_out: value(b"pswpout ") }
}

/// Hundredths of a second since boot, from `uptime`.
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

/// How many tasks the host has in all, from `loadavg`.
pub fn parse_task_count(text: &[u8]) -> Option<u64> {
    number(words(text).nth(3)?.splitn(2, |byte| *byte == b'/').nth(1)?)
}

/// Memory that programs can still allocate without swapping, in bytes, from `meminfo`. Linux 3.14 and later report it.
pub fn parse_available_memory(text: &[u8]) -> Option<u64> {
    let kilobytes = number(words(value_of(text, b"MemAvailable:")?).next()?)?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pressure_file_without_full_still_tells_some() {
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
    fn what_a_kernel_does_not_tell_is_not_zero() {
        let text = b"cpu  1 2 3 4\nintr 9 0 0\nctxt 500\nbtime 3\nprocesses 7\nprocs_running 2\n";
        let expected = Activity { forks: Some(7), context_switches: Some(500), running: Some(2), blocked: None };
        assert_eq!(parse_activity(text), expected);
        let old = b"nr_free_pages 5\npswpin 3\npswpout 4\n";
        assert_eq!(parse_paging(old), Paging { oom_kills: None, swapped_in: Some(3), swapped_out: Some(4) });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_pressure(&text), parse_cpu_ticks(&text), parse_uptime_centis(&text), parse_activity(&text), parse_paging(&text));
            let _ = (parse_task_count(&text), parse_available_memory(&text));
        }

        #[test]
        fn written_amounts_read_back(forks: u64, switches: u64, running: u64, blocked: u64) {
            let text = format!(
                "cpu  1 2 3 4\nctxt {switches}\nbtime 3\nprocesses {forks}\nprocs_running {running}\nprocs_blocked {blocked}\nsoftirq 9 9\n"
            );
            let expected = [forks, switches, running, blocked].map(Some);
            let Activity { forks, context_switches: switches, running, blocked } = parse_activity(text.as_bytes());
            prop_assert_eq!([forks, switches, running, blocked], expected);
            let [Some(kills), Some(swapped_in), Some(swapped_out), _] = expected else { return Ok(()) };
            let text = format!("oom_kill_disable 0\npswpin {swapped_in}\npswpout {swapped_out}\noom_kill {kills}\n");
            let Paging { oom_kills, swapped_in: came, swapped_out: went } = parse_paging(text.as_bytes());
            prop_assert_eq!([oom_kills, came, went], [Some(kills), Some(swapped_in), Some(swapped_out)]);
        }

        #[test]
        fn written_values_read_back(centis in 0_u64..1 << 50, some in 0_u32..10_000, full in 0_u32..10_000) {
            let uptime = format!("{}.{:02} 77.00\n", centis / 100, centis % 100);
            prop_assert_eq!(parse_uptime_centis(uptime.as_bytes()), Some(centis));
            prop_assert_eq!(parse_task_count(format!("0.32 1.02 1.07 1/{centis} 32580\n").as_bytes()), Some(centis));
            let [some, full] = [some, full].map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100));
            let text = format!("some avg10={some} avg60=0.00 avg300=0.00 total=1\nfull avg10={full} avg60=0.00 avg300=0.00 total=1\n");
            prop_assert_eq!(parse_pressure(text.as_bytes()), Pressure { some: some.parse().ok(), full: full.parse().ok() });
        }
    }
}
