//! The host's clocks: how long it runs, and whether somebody set the time of day.

use signals::Signal;

use super::{clocks::Clocks, resources::Resource};
use crate::collect::measure::{Measured, Reason};

/// The look of the sweep before.
#[derive(Debug, Default)]
pub struct History {
    before: Option<Clocks>,
}

impl History {
    /// What the clocks tell.
    pub fn read(&mut self, now: Clocks) -> Resource {
        let before = self.before.replace(now);
        let parted: Measured = before.map(|before| now.step_ms(&before)).ok_or(Reason::FirstSweep);
        let uptime = now.uptime_centis.map(|centis| centis as f64 * 10.0).ok_or(Reason::Unsupported);
        Resource::singleton("clock", vec![(Signal::ClockStepMs, parted), (Signal::UptimeMs, uptime)])
    }
}
