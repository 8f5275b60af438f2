//! The host as a whole: pressure, CPU, memory, disks, network and clock.

mod amounts;
mod clock;
mod clocks;
mod disks;
mod network;
mod pressure;
mod resource;

pub use clocks::Clocks;
pub use resource::{Resource, Scene};

/// What is remembered from sweep to sweep.
#[derive(Debug, Default)]
pub struct Memory {
    amounts: amounts::Memory,
    pressure: pressure::Memory,
    disks: disks::Memory,
    clock: clock::Memory,
}

impl Memory {
    /// Looks at the host. Disks come last, by name.
    pub fn look(&mut self, scene: &Scene<'_>, buffer: &mut Vec<u8>) -> Vec<Resource> {
        self.amounts.begin(scene.root.tape.monotonic());
        let mut resources = self.pressure.look(scene, &mut self.amounts, buffer);
        resources.push(network::look(scene, &mut self.amounts, buffer));
        resources.push(self.clock.look(scene.clocks));
        resources.extend(self.disks.look(scene, self.amounts.elapsed(), buffer));
        resources
    }
}
