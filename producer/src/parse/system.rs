//! The host's own files: `pressure/*`, `stat`, `uptime`, `loadavg`.

use super::{lines, number, words};

/// The ten-second averages of a `pressure` file, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Time in which some task was held up.
    pub some: Option<f32>,
    /// Time in which all were; older kernels do not tell it of the CPU.
    pub full: Option<f32>,
}

/// Reads a `pressure` file.
pub fn pressure(text: &[u8]) -> Pressure {
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
pub fn cpu_ticks(text: &[u8]) -> Option<CpuTicks> {
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

/// Hundredths of a second since boot, from `uptime`.
pub fn uptime_centis(text: &[u8]) -> Option<u64> {
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
pub fn tasks(text: &[u8]) -> Option<u64> {
    number(words(text).nth(3)?.splitn(2, |byte| *byte == b'/').nth(1)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pressure_file_without_full_still_tells_some() {
        assert_eq!(
            pressure(b"some avg10=2.10 avg60=0.12 avg300=0.00 total=391926\n"),
            Pressure { some: Some(2.1), full: None }
        );
    }

    #[test]
    fn stolen_time_is_not_busy() {
        let ticks = cpu_ticks(b"cpu  10 1 5 100 4 1 2 30 3 0\ncpu0 1 1 1 1\n");
        assert_eq!(ticks, Some(CpuTicks { busy: 19, total: 153 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (pressure(&text), cpu_ticks(&text), uptime_centis(&text), tasks(&text));
        }

        #[test]
        fn written_values_read_back(centis in 0_u64..1 << 50, some in 0_u32..10_000, full in 0_u32..10_000) {
            let uptime = format!("{}.{:02} 77.00\n", centis / 100, centis % 100);
            prop_assert_eq!(uptime_centis(uptime.as_bytes()), Some(centis));
            prop_assert_eq!(tasks(format!("0.32 1.02 1.07 1/{centis} 32580\n").as_bytes()), Some(centis));
            let [some, full] = [some, full].map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100));
            let text = format!("some avg10={some} avg60=0.00 avg300=0.00 total=1\nfull avg10={full} avg60=0.00 avg300=0.00 total=1\n");
            prop_assert_eq!(pressure(text.as_bytes()), Pressure { some: some.parse().ok(), full: full.parse().ok() });
        }
    }
}
