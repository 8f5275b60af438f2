//! The host as a whole: pressure, CPU, memory, disks, network and clock.

mod clock_step;
mod clocks;
mod counters;
mod disks;
mod network;
mod pressure;
mod resources;

pub use clocks::Clocks;
pub use resources::{HostInputs, Resource};

/// State kept between sweeps.
#[derive(Debug, Default)]
pub struct History {
    counters: counters::History,
    pressure: pressure::History,
    disks: disks::History,
    clock: clock_step::History,
}

impl History {
    /// Reads the resources of the host. Disks come last, sorted by name.
    pub fn read(&mut self, inputs: &HostInputs<'_>, buffer: &mut Vec<u8>) -> Vec<Resource> {
        self.counters.begin(inputs.root.tape.monotonic_clock());
        let mut resources = self.pressure.read(inputs, &mut self.counters, buffer);
        resources.push(network::read(inputs, &mut self.counters, buffer));
        resources.push(self.clock.read(inputs.clocks));
        resources.extend(self.disks.read(inputs, self.counters.elapsed(), buffer));
        resources
    }
}
