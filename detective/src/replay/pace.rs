//! When each snapshot of a recording is due, and of what time it then is.

use std::{fmt, str::FromStr, time::Duration};

use schemas::Timestamp;

/// How fast a recording is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as the bus takes it.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        const LEAST: f64 = 0.001;
        const MOST: f64 = 1e6;
        match (text, text.parse::<f64>()) {
            ("max", _) => Ok(Speed::Max),
            (_, Ok(0.0)) => Ok(Speed::Max),
            (_, Ok(times)) if (LEAST..=MOST).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!("expected a number from {LEAST} to {MOST}, or `max`: 2 is twice as fast as recorded")),
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

/// The rhythm of one replay.
pub struct Pace {
    speed: Speed,
    first: Timestamp,
    last: Timestamp,
}

impl Pace {
    /// Of a recording whose snapshots are from `first` to `last`.
    pub fn new(speed: Speed, first: Timestamp, last: Timestamp) -> Pace {
        Pace { speed, first, last }
    }

    /// How long after the beginning a snapshot is due.
    pub fn due(&self, time: Timestamp) -> Duration {
        let recorded = u64::try_from(time.millis_since(self.first)).unwrap_or(0);
        match self.speed {
            Speed::Times(times) => Duration::try_from_secs_f64(recorded as f64 / 1e3 / times).unwrap_or(Duration::MAX),
            Speed::Max => Duration::ZERO,
        }
    }

    /// How long it takes, if the bus keeps up.
    pub fn takes(&self) -> Duration {
        self.due(self.last)
    }

    /// What is added to every time in a recording whose replay begins now, in milliseconds.
    ///
    /// One number for all, so that the distances stay as they were recorded and with them the rates in the snapshots. It is as
    /// large as it can be with no snapshot from the future when it is published: the recording begins now if it is replayed slowly,
    /// and ends together with the replay if that is faster than the recording was.
    pub fn shift(&self, now: Timestamp) -> i64 {
        let takes = i64::try_from(self.takes().as_millis()).unwrap_or(i64::MAX);
        let faster_by = self.last.millis_since(self.first).saturating_sub(takes).max(0);
        now.millis_since(self.first).saturating_sub(faster_by)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIRST: Timestamp = Timestamp(1_000_000);
    const NOW: Timestamp = Timestamp(9_000_000);

    /// When a snapshot of 60 s after the first is published and of what time it then is, in milliseconds after the replay's
    /// beginning; the recording is 100 s long.
    #[track_caller]
    fn check(speed: &str, published: u128, time: i64) {
        let pace = Pace::new(speed.parse().unwrap(), FIRST, Timestamp(FIRST.0 + 100_000));
        let at = Timestamp(FIRST.0 + 60_000);
        let found = (pace.due(at).as_millis(), at.0 + pace.shift(NOW) - NOW.0);
        assert_eq!(found, (published, time), "at speed {speed}");
    }

    #[test]
    fn the_rhythm_is_divided_and_the_distances_are_kept() {
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
            for at in (0..=100_000).step_by(100).map(|after| Timestamp(FIRST.0 + after)) {
                let published = NOW.0 + i64::try_from(pace.due(at).as_millis()).unwrap();
                let time = at.0 + pace.shift(NOW);
                // Both are whole milliseconds, rounded down apart from each other.
                assert!(time <= published + 1, "at speed {speed}: {time} is published at {published}");
            }
        }
    }

    #[test]
    fn times_beyond_all_reason_are_no_reason_to_panic() {
        for speed in ["0.001", "1", "max"] {
            let pace = Pace::new(speed.parse().unwrap(), Timestamp(i64::MIN), Timestamp(i64::MAX));
            assert!(pace.due(Timestamp(i64::MAX)) <= pace.takes());
            pace.shift(NOW);
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
