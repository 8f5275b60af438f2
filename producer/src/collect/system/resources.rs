//! What a look at the host needs, and what it gives.

use std::collections::BTreeSet;

use hostread::{Directory, ProcRoot, Seen};
use signals::Signal;

use super::clocks::Clocks;
use crate::collect::measure::Measured;

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
    pub figures: Vec<(Signal, Measured)>,
}

impl Resource {
    /// One that every host has just once.
    pub fn singleton(name: &str, figures: Vec<(Signal, Measured)>) -> Resource {
        Resource { id: format!("s:{name}"), role: name.to_owned(), name: name.to_owned(), figures }
    }
}

/// What a look at the host needs.
pub struct HostInputs<'s> {
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
