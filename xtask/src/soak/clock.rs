//! Steps of the wall clock.

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

/// A wall clock that is an hour or a day ahead or behind for a minute, then right for a minute.
/// Dropping it sets the clock right.
pub struct SteppedClock {
    started_at: Instant,
    offset_s: i64,
}

const PERIOD: Duration = Duration::from_secs(60);
/// Offsets of the successive minutes, in seconds.
const OFFSETS_S: [i64; 8] = [0, 3600, 0, -3600, 0, 86_400, 0, -86_400];

impl SteppedClock {
    /// A clock that is right.
    pub fn new() -> SteppedClock {
        SteppedClock { started_at: Instant::now(), offset_s: 0 }
    }

    /// Steps the clock when its minute has passed.
    ///
    /// # Errors
    /// If this process may not set the clock.
    pub fn step_if_due(&mut self) -> anyhow::Result<()> {
        let minute = self.started_at.elapsed().as_secs() / PERIOD.as_secs();
        let index = usize::try_from(minute).unwrap_or(0) % OFFSETS_S.len();
        self.step_to(OFFSETS_S[index])
    }

    fn step_to(&mut self, offset_s: i64) -> anyhow::Result<()> {
        if offset_s == self.offset_s {
            return Ok(());
        }
        let now = clock_gettime(ClockId::Realtime);
        let stepped = Timespec { tv_sec: now.tv_sec + offset_s - self.offset_s, ..now };
        clock_settime(ClockId::Realtime, stepped).context("cannot set the clock")?;
        self.offset_s = offset_s;
        Ok(())
    }
}

impl Drop for SteppedClock {
    fn drop(&mut self) {
        let _ = self.step_to(0);
    }
}
