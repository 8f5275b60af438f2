//! What can be set.

use std::{path::PathBuf, time::Duration};

use graph::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a trainer needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainerSettings {
    /// How to train.
    pub training: TrainingConfig,
    /// What to train on.
    pub features: FeaturesConfig,
}

/// `[features]`: what a model reads of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeaturesConfig {
    /// `default` reads every column, against what is normal for the role of the process, file or endpoint. `classic`
    /// reads the eleven features of the original design, as it did: for comparison.
    pub profile: Profile,
}

/// `[training]`: how a model of what is healthy is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the snapshots. The `default` profile ends sooner when the loss no longer falls; `classic` makes them
    /// all.
    pub epochs: usize,
    /// Step of the optimizer (Adam). Lower it if training diverges.
    pub learning_rate: f64,
    /// Where the random numbers start: the same snapshots and seed make the same model.
    pub seed: u64,
    /// At most so many snapshots are learned from, spread over the time that the topic still holds, the newest among
    /// them.
    pub max_snapshots: usize,
    /// The snapshots learned from have at most about so many nodes together, which bounds memory (about a kilobyte
    /// a node) and time.
    pub max_nodes: usize,
    /// At most so much time is spent on fitting, after which the model is taken as it is; it runs on one core at low
    /// priority. `classic` ignores it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_time: Duration,
    /// Time between one model of a cohort and the next, which is made only if there is new healthy data.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retrain: Duration,
    /// How many false alarms a host may raise in a day; sets the threshold from held-back healthy data. `classic`
    /// ignores it and takes the 95th percentile of the nodes' errors, as the original did.
    pub false_alarms_per_day: f64,
    /// Where to write each new model as an ONNX file too; the models topic has it in any case.
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
    /// What is out of range: the key below `training`, and what is expected of it.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut expect = |is_fine: bool, key: &'static str, expected: &str, found: String| {
            if !is_fine {
                problems.push((key, format!("expected {expected}, found {found}")));
            }
        };
        let is_above_zero = |value: f64| value.is_finite() && value > 0.0;
        expect(self.epochs >= 1, "epochs", "at least 1", self.epochs.to_string());
        let rate = self.learning_rate;
        expect(is_above_zero(rate) && rate <= 1.0, "learning_rate", "above 0 and at most 1", rate.to_string());
        let fewest = crate::dataset::FEWEST;
        expect(
            self.max_snapshots >= fewest,
            "max_snapshots",
            &format!("at least {fewest}"),
            self.max_snapshots.to_string(),
        );
        expect(self.max_nodes >= 1000, "max_nodes", "at least 1000", self.max_nodes.to_string());
        let minute = Duration::from_secs(60);
        expect(self.retrain >= minute, "retrain", "at least 1m", humantime(self.retrain));
        expect(!self.max_time.is_zero(), "max_time", "above 0s", humantime(self.max_time));
        let alarms = self.false_alarms_per_day;
        expect(is_above_zero(alarms), "false_alarms_per_day", "above 0", alarms.to_string());
        problems
    }
}

fn humantime(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_that_is_out_of_range_is_a_problem_of_its_own() {
        assert_eq!(TrainingConfig::default().problems(), []);
        let wrong = TrainingConfig {
            epochs: 0,
            learning_rate: f64::NAN,
            max_snapshots: 9,
            max_nodes: 999,
            max_time: Duration::ZERO,
            retrain: Duration::from_secs(59),
            false_alarms_per_day: 0.0,
            ..TrainingConfig::default()
        };
        let found: Vec<_> = wrong.problems().into_iter().map(|(key, problem)| format!("{key}: {problem}")).collect();
        let expected = [
            "epochs: expected at least 1, found 0",
            "learning_rate: expected above 0 and at most 1, found NaN",
            "max_snapshots: expected at least 10, found 9",
            "max_nodes: expected at least 1000, found 999",
            "retrain: expected at least 1m, found 59s",
            "max_time: expected above 0s, found 0s",
            "false_alarms_per_day: expected above 0, found 0",
        ];
        assert_eq!(found, expected);
    }
}
