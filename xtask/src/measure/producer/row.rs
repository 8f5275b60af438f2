//! Measurements beside one number of processes.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::measure::rounding::{to_hundredth, to_thousandth};

/// All rounds beside one number of processes.
#[derive(Debug, Default)]
pub struct Row {
    /// The processes that a sweep saw, including those that the measurement did not start.
    pub processes: Option<f64>,
    /// The descriptors that a sweep saw.
    pub fds: Option<f64>,
    /// The peak resident memory of the sweeping process, in megabytes.
    pub peak_rss_mb: Option<f64>,
    /// The rounds of each measurement.
    milliseconds: BTreeMap<String, Vec<f64>>,
    other: Map<String, Value>,
}

impl Row {
    /// Adds an object that the measuring program printed. An array whose key ends with `_ms` holds
    /// rounds of a measurement.
    ///
    /// # Errors
    /// If it is not an object, or an array holds something else than numbers.
    pub fn add(&mut self, output: &Value) -> anyhow::Result<()> {
        for (key, value) in output.as_object().context("expected an object")? {
            match value {
                Value::Array(rounds) if key.ends_with("_ms") => {
                    let rounds = rounds.iter().map(|round| round.as_f64().context("expected milliseconds"));
                    let rounds = rounds.collect::<Result<Vec<_>, _>>()?;
                    self.milliseconds.entry(key.clone()).or_default().extend(rounds);
                }
                _ => drop(self.other.insert(key.clone(), value.clone())),
            }
        }
        self.processes = output["processes"].as_f64().or(self.processes);
        self.fds = output["fds"].as_f64().or(self.fds);
        Ok(())
    }

    /// The median round of a measurement, in milliseconds.
    pub fn median(&self, name: &str) -> Option<f64> {
        let mut rounds = self.milliseconds.get(name)?.clone();
        rounds.sort_by(f64::total_cmp);
        let lower = rounds.get((rounds.len().checked_sub(1)?) / 2)?;
        let upper = rounds.get(rounds.len() / 2)?;
        Some((lower + upper) / 2.0)
    }

    /// The ratio of two medians.
    pub fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        Some(to_hundredth(self.median(of)? / self.median(to)?))
    }

    /// The median of a measurement divided by the number of processes, in milliseconds.
    pub fn per_process(&self, name: &str) -> Option<f64> {
        Some(self.median(name)? / self.processes?)
    }

    /// Medians, ratios and all rounds.
    pub fn to_json(&self, started: usize) -> Value {
        let median = |name: &String| self.median(name).map(to_thousandth);
        let medians: BTreeMap<&String, Option<f64>> =
            self.milliseconds.keys().map(|name| (name, median(name))).collect();
        json!({
            "started": started,
            "seen": self.other,
            "median": medians,
            "full_sweep_vs_floor": self.ratio("full_sweep_ms", "floor_ms"),
            "usual_sweep_vs_floor": self.ratio("usual_sweep_ms", "floor_ms"),
            "full_sweep_vs_procfs": self.ratio("full_sweep_ms", "procfs_ms"),
            "columns_vs_ps": self.ratio("columns_ms", "ps_ms"),
            "peak_rss_mb": self.peak_rss_mb,
            "rounds": self.milliseconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Row;

    #[test]
    fn rounds_of_two_outputs_have_one_median() {
        let mut row = Row::default();
        row.add(&json!({"processes": 10, "floor_ms": [1.0, 9.0], "sweep_ms": [6.0]})).expect("an object of rounds");
        row.add(&json!({"floor_ms": [2.0, 4.0], "sweep_ms": [3.0]})).expect("an object of rounds");
        assert_eq!((row.median("floor_ms"), row.median("sweep_ms"), row.median("none")), (Some(3.0), Some(4.5), None));
        assert_eq!((row.ratio("sweep_ms", "floor_ms"), row.per_process("floor_ms")), (Some(1.5), Some(0.3)));
        assert!(row.add(&json!({"floor_ms": ["soon"]})).is_err());
    }
}
