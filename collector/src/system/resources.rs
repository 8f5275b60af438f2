//! Resources of the host, and the inputs for reading them.

use std::collections::BTreeSet;

use hostread::{Directory, ProcRoot, Seen};
use signals::Signal;

use super::clocks::Clocks;
use crate::measure::Measured;

/// Resource of the host, with its measured values.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Id of its node.
    pub id: String,
    /// Role, independent of its name.
    pub role: String,
    /// Name to display.
    pub name: String,
    /// Measured values.
    pub figures: Vec<(Signal, Measured)>,
}

impl Resource {
    /// Returns a resource that every host has once.
    pub fn singleton(name: &str, figures: Vec<(Signal, Measured)>) -> Resource {
        Resource { id: format!("s:{name}"), role: name.to_owned(), name: name.to_owned(), figures }
    }
}

/// Inputs for reading the resources.
pub struct HostInputs<'s> {
    /// Root of `/proc`.
    pub root: &'s ProcRoot,
    /// Directory of `/proc` with the network of the host.
    pub net: &'s Seen<Directory>,
    /// Whether this process is in that network namespace.
    pub own_network: bool,
    /// Block devices that are mounted.
    pub mounted: &'s BTreeSet<(u32, u32)>,
    /// Start of the sweep, by all clocks.
    pub clocks: Clocks,
    /// Size of a memory page in bytes.
    pub page: f64,
}
