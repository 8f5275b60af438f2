//! Settings of the program `detective-scorer`: its sections of the shared settings file.

use bus::BusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

use crate::{AlarmConfig, ApiConfig, LearnConfig, ScorerConfig};

/// The sections of the settings file that the scorer reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[bus]`: how programs exchange records.
    pub bus: BusConfig,
    /// `[learn]`: which snapshots models are trained on.
    pub learn: LearnConfig,
    /// `[alarm]`: when an incident opens and when it is resolved.
    pub alarm: AlarmConfig,
    /// `[api]`: the HTTP API.
    pub api: ApiConfig,
}

impl Settings for Config {
    const FOREIGN: &'static [&'static str] = &["host", "cohort", "sweep", "features", "training"];

    fn check(&self, problems: &mut Problems) {
        problems.add_section("bus", self.bus.problems());
        problems.add_section("learn", self.learn.problems());
        problems.add_section("alarm", self.alarm.problems());
        problems.add_section("api", self.api.problems());
    }
}

impl Config {
    /// The settings for [`crate::run`].
    pub fn scorer(&self, relearn: bool) -> ScorerConfig {
        let api = self.api.with_data_directory(&self.bus.path);
        ScorerConfig { learn: self.learn.clone(), alarm: self.alarm.clone(), api, relearn }
    }
}
