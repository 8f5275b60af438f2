//! The host as a whole: pressure, CPU, memory, disks, network and clock.

mod amounts;
mod clock;
mod disks;
mod network;
mod pressure;

use std::collections::BTreeSet;

use crate::{
    columns::{Measure, Measured},
    read::{Directory, ProcRoot, Seen},
};

pub use clock::Clocks;

/// A resource of the host, and what was measured of it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its node's id.
    pub id: String,
    /// What it is, whatever its name.
    pub role: String,
    /// What a person calls it.
    pub name: String,
    /// What was measured.
    pub figures: Vec<(Measure, Measured)>,
}

impl Resource {
    /// One that every host has just once.
    fn only(name: &str, figures: Vec<(Measure, Measured)>) -> Resource {
        Resource { id: format!("s:{name}"), role: name.to_owned(), name: name.to_owned(), figures }
    }
}

/// What a look at the host needs.
pub struct Scene<'s> {
    /// Where to look.
    pub root: &'s ProcRoot,
    /// The directory that shows the host's network.
    pub net: &'s Seen<Directory>,
    /// Whether that network is this process's own.
    pub own_network: bool,
    /// Block devices that are mounted.
    pub mounted: &'s BTreeSet<(u32, u32)>,
    /// When the sweep began, by all clocks.
    pub clocks: Clocks,
    /// Bytes of a page of memory.
    pub page: f64,
}

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
