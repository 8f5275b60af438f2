//! Settings of the program `detective-trainer`: its sections of the shared settings file.

use bus::BusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

use crate::{FeaturesConfig, TrainerSettings, TrainingConfig};

/// The sections of the settings file that the trainer reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[bus]`: how programs exchange records.
    pub bus: BusConfig,
    /// `[features]`: what a model reads.
    pub features: FeaturesConfig,
    /// `[training]`: how a model is trained.
    pub training: TrainingConfig,
}

impl Settings for Config {
    const FOREIGN: &'static [&'static str] = &["host", "cohort", "sweep", "learn", "alarm", "api"];

    fn check(&self, problems: &mut Problems) {
        problems.add_section("bus", self.bus.problems());
        problems.add_section("training", self.training.problems());
    }
}

impl Config {
    /// The settings for [`crate::run`].
    pub fn trainer(&self) -> TrainerSettings {
        TrainerSettings { training: self.training.clone(), features: self.features.clone() }
    }
}
