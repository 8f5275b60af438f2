//! Clocks of the host, read at one time.

use std::time::Instant;

use hostread::{ProcRoot, parse};
use schemas::Timestamp;

/// What each clock showed at the start of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Wall clock.
    pub wall: Timestamp,
    /// Monotonic clock, before and after the wall clock was read.
    pub monotonic: (Instant, Instant),
    /// Time since boot, in hundredths of a second.
    pub uptime_centis: Option<u64>,
}

impl Clocks {
    /// Reads the clocks.
    pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> Clocks {
        let before = root.tape.monotonic_clock();
        let wall = root.tape.wall_clock();
        let after = root.tape.monotonic_clock();
        let uptime = root.directory.read_page("uptime", buffer).here();
        Clocks { wall, monotonic: (before, after), uptime_centis: uptime.and_then(parse::system::parse_uptime_centis) }
    }

    /// Returns the step of the wall clock relative to the monotonic clock since `before`, in
    /// milliseconds: the smallest absolute value that the readings allow.
    pub fn step_ms(&self, before: &Clocks) -> f64 {
        // Resolution of the wall clock.
        const RESOLUTION_MS: f64 = 1.0;
        let millis = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
        let wall = self.wall.millis_since(before.wall) as f64;
        // This process may be descheduled between two readings. Differences that this can explain
        // do not count.
        let least = millis(before.monotonic.1, self.monotonic.0);
        let most = millis(before.monotonic.0, self.monotonic.1);
        (wall - most - RESOLUTION_MS).max(least - wall - RESOLUTION_MS).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_setting_the_clock_is_a_step() {
        let start = Instant::now();
        let at = |wall: i64, before: u64, after: u64| Clocks {
            wall: Timestamp(wall),
            monotonic: (start + Duration::from_millis(before), start + Duration::from_millis(after)),
            uptime_centis: None,
        };
        let first = at(1_000_000, 0, 0);
        for (later, parted) in [
            (at(1_001_000, 1000, 1000), 0.0),
            // Descheduled for half a second, before or after the wall clock was read.
            (at(1_001_000, 500, 1000), 0.0),
            (at(1_001_000, 1000, 1500), 0.0),
            (at(1_061_000, 1000, 1000), 59_999.0),
            (at(941_000, 1000, 1000), 59_999.0),
        ] {
            assert_eq!(later.step_ms(&first), parted, "{later:?}");
        }
    }
}
