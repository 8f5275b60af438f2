//! Settings of the program `detective-producer`, read from a file that all programs share.

use bus::BusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

use crate::{Producer, SweepConfig};

/// Sections of the settings file that the producer reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Id of this host. Empty: its host name.
    pub host: String,
    /// Id of the group of similar hosts that share a model. Empty: the id of the host, a cohort of
    /// its own.
    pub cohort: String,
    /// How programs exchange records.
    pub bus: BusConfig,
    /// How to read the host.
    pub sweep: SweepConfig,
}

impl Settings for Config {
    const FOREIGN: &'static [&'static str] = &["features", "training", "learn", "alarm", "api"];

    fn check(&self, problems: &mut Problems) {
        problems.add_section("bus", self.bus.problems());
        problems.add_section("sweep", self.sweep.problems());
    }
}

impl Config {
    /// Returns the producer that these settings describe.
    pub fn producer(&self) -> Producer {
        Producer::new(&self.host, &self.cohort, self.sweep.clone(), vec![self.bus.path.clone()])
    }
}
