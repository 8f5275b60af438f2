//! What the program `detective-scorer` reads, of a file that all programs share.

use bus::BusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

use crate::{AlarmConfig, ApiConfig, LearnConfig, ScorerConfig};

/// The scorer's part of the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How programs exchange records.
    pub bus: BusConfig,
    /// How a host becomes known.
    pub learn: LearnConfig,
    /// When an incident is opened and when it is over.
    pub alarm: AlarmConfig,
    /// Where programs ask.
    pub api: ApiConfig,
}

impl Settings for Config {
    const FOREIGN: &'static [&'static str] = &["host", "cohort", "sweep", "features", "training"];

    fn check(&self, problems: &mut Problems) {
        problems.add_section("bus", self.bus.problems());
        problems.add_section("learn", self.learn.problems());
        problems.add_section("alarm", self.alarm.problems());
    }
}

impl Config {
    /// What the scorer needs of it.
    pub fn scorer(&self, relearn: bool) -> ScorerConfig {
        ScorerConfig { learn: self.learn.clone(), alarm: self.alarm.clone(), api: self.api.clone(), relearn }
    }
}
