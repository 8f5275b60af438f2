//! Uptime of the host, and steps of its wall clock.

use signals::Signal;

use super::{clocks::Clocks, resources::Resource};
use crate::measure::{Measured, Reason};

/// Clocks in the previous sweep.
#[derive(Debug, Default)]
pub struct History {
    before: Option<Clocks>,
}

impl History {
    /// Returns the resource `clock`.
    pub fn read(&mut self, now: Clocks) -> Resource {
        let before = self.before.replace(now);
        let step_ms: Measured = before.map(|before| now.step_ms(&before)).ok_or(Reason::FirstSweep);
        let uptime = now.uptime_centis.map(|centis| centis as f64 * 10.0).ok_or(Reason::Unsupported);
        Resource::singleton("clock", vec![(Signal::ClockStepMs, step_ms), (Signal::UptimeMs, uptime)])
    }
}
