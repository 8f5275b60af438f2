//! What the program `detective-trainer` reads, of a file that all programs share.

use bus::BusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

use crate::{FeaturesConfig, TrainerSettings, TrainingConfig};

/// The trainer's part of the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How programs exchange records.
    pub bus: BusConfig,
    /// What a model reads.
    pub features: FeaturesConfig,
    /// How a model is made.
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
    /// What the trainer needs of it.
    pub fn trainer(&self) -> TrainerSettings {
        TrainerSettings { training: self.training.clone(), features: self.features.clone() }
    }
}
