//! All clocks of the host, read at one time.

use std::time::Instant;

use hostread::{ProcRoot, parse};
use schemas::Timestamp;

/// One look at all clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The time of day.
    pub wall: Timestamp,
    /// A time that never goes back, before the time of day was asked for and after.
    pub monotonic: (Instant, Instant),
    /// Hundredths of a second since boot.
    pub uptime_centis: Option<u64>,
}

impl Clocks {
    /// Looks at them.
    pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> Clocks {
        let (before, wall, after) = (root.tape.monotonic_clock(), root.tape.wall_clock(), root.tape.monotonic_clock());
        let uptime = root.directory.read_page("uptime", buffer).here();
        Clocks { wall, monotonic: (before, after), uptime_centis: uptime.and_then(parse::system::parse_uptime_centis) }
    }

    /// By how many milliseconds the time of day and the time that never goes back have parted since `before`, at least.
    pub fn step_ms(&self, before: &Clocks) -> f64 {
        // The time of day is told in whole milliseconds.
        const RESOLUTION_MS: f64 = 1.0;
        let millis = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
        let wall = self.wall.millis_since(before.wall) as f64;
        // This process may have been held up between two of the questions: what may be due to that does not count.
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
    fn only_a_clock_that_was_set_parts_from_the_other() {
        let start = Instant::now();
        let at = |wall: i64, before: u64, after: u64| Clocks {
            wall: Timestamp(wall),
            monotonic: (start + Duration::from_millis(before), start + Duration::from_millis(after)),
            uptime_centis: None,
        };
        let first = at(1_000_000, 0, 0);
        for (later, parted) in [
            (at(1_001_000, 1000, 1000), 0.0),
            // Held up for half a second, before the time of day was told or after.
            (at(1_001_000, 500, 1000), 0.0),
            (at(1_001_000, 1000, 1500), 0.0),
            (at(1_061_000, 1000, 1000), 59_999.0),
            (at(941_000, 1000, 1000), 59_999.0),
        ] {
            assert_eq!(later.step_ms(&first), parted, "{later:?}");
        }
    }
}
