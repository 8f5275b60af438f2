//! The settings of the trainer: sections `[training]` and `[features]`.

use std::{path::PathBuf, time::Duration};

use graph::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of [`crate::run`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainerSettings {
    /// How to train.
    pub training: TrainingConfig,
    /// Which features to train on.
    pub features: FeaturesConfig,
}

/// `[features]`: what a model reads from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeaturesConfig {
    /// `default` reads every signal and compares it with the baseline of the node's role. `classic`
    /// reads the eleven features of the original design, for comparison.
    pub profile: Profile,
}

/// `[training]`: how models are trained on healthy snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Largest number of passes over the snapshots. The `default` profile stops earlier when the
    /// loss no longer falls; `classic` always runs all of them.
    pub epochs: usize,
    /// Learning rate of the optimizer (Adam). Lower it if training diverges.
    pub learning_rate: f64,
    /// Seed of all random numbers: the same snapshots and seed give the same model.
    pub seed: u64,
    /// Largest number of snapshots to train on, at least 20. They are spread evenly over the
    /// healthy topic and include the newest.
    pub max_snapshots: usize,
    /// Largest number of nodes, over all snapshots together, to train on. Limits memory (about 1 KB
    /// per node) and time. Hosts with so many nodes that fewer than 30 snapshots fit are trained on
    /// a part of the nodes of each role.
    pub max_nodes: usize,
    /// Time limit of fitting, which runs on one core at low priority. When it passes, the model is
    /// used as it is. `classic` ignores it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub max_time: Duration,
    /// Time between two models of a cohort. A new model is trained only if there is new healthy
    /// data.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub retrain: Duration,
    /// Accepted number of false alarms per host and day. It sets the alarm threshold, from healthy
    /// snapshots that were not used for fitting. `classic` ignores it and uses the 95th percentile
    /// of the node errors, as the original design did.
    pub false_alarms_per_day: f64,
    /// File to write each new model to, in ONNX format. Models are always published to the models
    /// topic as well.
    pub write_onnx: Option<PathBuf>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        TrainingConfig {
            epochs: 100,
            learning_rate: 1e-3,
            seed: 7,
            max_snapshots: 360,
            max_nodes: 150_000,
            max_time: Duration::from_secs(30),
            retrain: 6 * HOUR,
            false_alarms_per_day: 1.0,
            write_onnx: None,
        }
    }
}

impl TrainingConfig {
    /// Returns each value that is out of range: its key below `training`, and a message with the
    /// expected range and the value found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut expect = |is_valid: bool, key: &'static str, expected: &str, found: String| {
            if !is_valid {
                problems.push((key, format!("expected {expected}, found {found}")));
            }
        };
        let is_above_zero = |value: f64| value.is_finite() && value > 0.0;
        expect(self.epochs >= 1, "epochs", "at least 1", self.epochs.to_string());
        let rate = self.learning_rate;
        expect(is_above_zero(rate) && rate <= 1.0, "learning_rate", "above 0 and at most 1", rate.to_string());
        // A sampler can hold half as many.
        let min_snapshots = 2 * graph::MIN_SNAPSHOTS;
        expect(
            self.max_snapshots >= min_snapshots,
            "max_snapshots",
            &format!("at least {min_snapshots}"),
            self.max_snapshots.to_string(),
        );
        expect(self.max_nodes >= 1000, "max_nodes", "at least 1000", self.max_nodes.to_string());
        let minute = Duration::from_secs(60);
        expect(self.retrain >= minute, "retrain", "at least 1m", format_seconds(self.retrain));
        expect(!self.max_time.is_zero(), "max_time", "above 0s", format_seconds(self.max_time));
        let alarms = self.false_alarms_per_day;
        expect(is_above_zero(alarms), "false_alarms_per_day", "above 0", alarms.to_string());
        problems
    }
}

fn format_seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_out_of_range_is_reported() {
        assert_eq!(TrainingConfig::default().problems(), []);
        let invalid = TrainingConfig {
            epochs: 0,
            learning_rate: f64::NAN,
            max_snapshots: 19,
            max_nodes: 999,
            max_time: Duration::ZERO,
            retrain: Duration::from_secs(59),
            false_alarms_per_day: 0.0,
            ..TrainingConfig::default()
        };
        let found: Vec<_> = invalid.problems().into_iter().map(|(key, problem)| format!("{key}: {problem}")).collect();
        let expected = [
            "epochs: expected at least 1, found 0",
            "learning_rate: expected above 0 and at most 1, found NaN",
            "max_snapshots: expected at least 20, found 19",
            "max_nodes: expected at least 1000, found 999",
            "retrain: expected at least 1m, found 59s",
            "max_time: expected above 0s, found 0s",
            "false_alarms_per_day: expected above 0, found 0",
        ];
        assert_eq!(found, expected);
    }
}
