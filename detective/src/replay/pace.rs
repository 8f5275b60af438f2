//! When each snapshot of a recording is due, and how its times are shifted.

use std::{fmt, str::FromStr, time::Duration};

use schemas::Timestamp;

/// Speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as recorded.
    Times(f64),
    /// As fast as the bus accepts records.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        const MIN: f64 = 0.001;
        const MAX: f64 = 1e6;
        match (text, text.parse::<f64>()) {
            ("max", _) => Ok(Speed::Max),
            (_, Ok(0.0)) => Ok(Speed::Max),
            (_, Ok(times)) if (MIN..=MAX).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!("expected a number from {MIN} to {MAX}, or `max`: 2 is twice as fast as recorded")),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speed::Times(times) => times.fmt(f),
            Speed::Max => f.write_str("max"),
        }
    }
}

/// The rhythm of a replay.
pub struct Pace {
    speed: Speed,
    first: Timestamp,
    last: Timestamp,
}

impl Pace {
    /// The rhythm of a recording with snapshots from `first` to `last`.
    pub fn new(speed: Speed, first: Timestamp, last: Timestamp) -> Pace {
        Pace { speed, first, last }
    }

    /// Time from the start of the replay until a snapshot is due.
    pub fn due(&self, time: Timestamp) -> Duration {
        let recorded = u64::try_from(time.millis_since(self.first)).unwrap_or(0);
        match self.speed {
            Speed::Times(times) => Duration::try_from_secs_f64(recorded as f64 / 1e3 / times).unwrap_or(Duration::MAX),
            Speed::Max => Duration::ZERO,
        }
    }

    /// Duration of the replay, if the bus keeps up.
    pub fn duration(&self) -> Duration {
        self.due(self.last)
    }

    /// Milliseconds to add to all times of a recording that is replayed from `now` on.
    ///
    /// All times are shifted the same, so that intervals stay as recorded, and with them the rates
    /// in the snapshots. The shift is the largest without a snapshot from the future: a slow replay
    /// begins now, and one that is faster than the recording ends when the replay ends.
    pub fn time_shift_ms(&self, now: Timestamp) -> i64 {
        let duration = i64::try_from(self.duration().as_millis()).unwrap_or(i64::MAX);
        let faster_by = self.last.millis_since(self.first).saturating_sub(duration).max(0);
        now.millis_since(self.first).saturating_sub(faster_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Timestamp = Timestamp(1_000_000);
    const NOW: Timestamp = Timestamp(9_000_000);

    /// Checks the snapshot that is 60 s after the first in a recording of 100 s: when it is
    /// published and its shifted time, in milliseconds after the start of the replay.
    #[track_caller]
    fn check(speed: &str, published: u128, time: i64) {
        let pace = Pace::new(speed.parse().unwrap(), FIRST, Timestamp(FIRST.0 + 100_000));
        let recorded = Timestamp(FIRST.0 + 60_000);
        let found = (pace.due(recorded).as_millis(), recorded.0 + pace.time_shift_ms(NOW) - NOW.0);
        assert_eq!(found, (published, time), "at speed {speed}");
    }

    #[test]
    fn the_speed_divides_due_times_and_keeps_intervals() {
        check("1", 60_000, 60_000);
        check("10", 6_000, -30_000);
        check("0.5", 120_000, 60_000);
        check("max", 0, -40_000);
        check("0", 0, -40_000);
    }

    #[test]
    fn no_snapshot_is_from_the_future() {
        for speed in ["0.01", "0.5", "1", "1.5", "60", "1000000", "max"] {
            let pace = Pace::new(speed.parse().unwrap(), FIRST, Timestamp(FIRST.0 + 100_000));
            for recorded in (0..=100_000).step_by(100).map(|after| Timestamp(FIRST.0 + after)) {
                let published = NOW.0 + i64::try_from(pace.due(recorded).as_millis()).unwrap();
                let time = recorded.0 + pace.time_shift_ms(NOW);
                // Each is rounded down to milliseconds by itself.
                assert!(time <= published + 1, "at speed {speed}: {time} is published at {published}");
            }
        }
    }

    #[test]
    fn extreme_times_do_not_panic() {
        for speed in ["0.001", "1", "max"] {
            let pace = Pace::new(speed.parse().unwrap(), Timestamp(i64::MIN), Timestamp(i64::MAX));
            assert!(pace.due(Timestamp(i64::MAX)) <= pace.duration());
            pace.time_shift_ms(NOW);
        }
    }

    #[test]
    fn a_speed_is_a_number_or_max() {
        for wrong in ["-1", "fast", "", "NaN", "inf", "0.0001", "1e7"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
    }
}
