//! The settings that the figures depend on.

use graph::RECIPE_VERSION;
use scorer::AlarmConfig;
use serde_json::{Value, json};
use trainer::TrainingConfig;

use crate::bootstrap;

/// Settings of training and alarms, the same as in production.
#[derive(Clone, Debug)]
pub struct EvaluationSettings {
    /// How models are trained.
    pub training: TrainingConfig,
    /// When incidents open and resolve.
    pub alarm: AlarmConfig,
}

impl EvaluationSettings {
    /// Everything that the figures depend on, besides the cases.
    pub fn to_json(&self) -> Value {
        json!({
            "recipe": RECIPE_VERSION,
            "seed": self.training.seed,
            "epochs": self.training.epochs,
            "learning_rate": self.training.learning_rate,
            "max_snapshots": self.training.max_snapshots,
            "max_nodes": self.training.max_nodes,
            "wanted_false_alarms_per_day": self.training.false_alarms_per_day,
            "sweeps_of_three": self.alarm.sweeps_of_three,
            "quiet_sweeps": self.alarm.quiet_sweeps,
            "bootstrap": {"resamples": bootstrap::RESAMPLES, "seed": bootstrap::SEED},
        })
    }
}
