//! Processes for a host to have.

use crate::measure::tied::Tied;

/// Processes that do nothing, ended when this is dropped.
pub struct Crowd {
    _processes: Vec<Tied>,
}

impl Crowd {
    /// So many.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn start(n: usize) -> anyhow::Result<Crowd> {
        let one = |_| Tied::start("sleep", Tied::command("sleep").arg("infinity"));
        Ok(Crowd { _processes: (0..n).map(one).collect::<Result<_, _>>()? })
    }
}
