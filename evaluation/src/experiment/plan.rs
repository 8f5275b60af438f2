//! The plan of an experiment, as a user writes it in TOML.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use faults::injection::MAX_DURATION;
use serde::Deserialize;
use service::Hint;

/// Sweeps beyond the minimum for training, because some may be late or invalid.
const SPARE_SWEEPS: u32 = 5;

/// A plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of the system in the cases.
    pub system: String,
    /// The workload.
    pub workload: Workload,
    /// Times of healthy operation.
    pub healthy: Healthy,
    /// Benign changes.
    #[serde(default)]
    pub benign: ScenarioGroup,
    /// Faults.
    #[serde(default)]
    pub faults: ScenarioGroup,
}

/// How the workload starts and stops.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Command that starts the workload and exits once it works. A program with a `/` in its name
    /// is relative to the folder of the plan.
    pub start: Vec<String>,
    /// Command that stops the workload.
    pub stop: Vec<String>,
    /// Folder of the workload's state file; by default that of the shop. Its commands and the
    /// faults find the folder in the variable `DETECTIVE_WORKLOAD`. `{uid}` stands for the user id.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// File to which clients append a JSON line for each request: `t` in seconds since 1970, `ms`,
    /// and the HTTP `status`, 0 without an answer. `{uid}` stands for the user id.
    pub latencies: Option<PathBuf>,
    /// Pause after the start.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
}

/// Times of healthy operation.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healthy {
    /// Time to learn from.
    #[serde(with = "humantime_serde")]
    pub learn: Duration,
    /// Time to evaluate, in which every alarm is false: before, between and after benign changes.
    #[serde(with = "humantime_serde")]
    pub evaluate: Duration,
}

/// Faults or benign changes, and how they are recorded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScenarioGroup {
    /// Names of the scenarios. Empty: all that exist.
    pub only: Vec<String>,
    /// How often each one is executed; 0: never.
    pub repeats: u32,
    /// How long each one lasts.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
    /// How long is recorded before each one.
    #[serde(with = "humantime_serde")]
    pub before: Duration,
    /// How long is recorded after each one.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
}

impl Default for ScenarioGroup {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        ScenarioGroup { only: Vec::new(), repeats: 1, duration: seconds(30), before: seconds(20), after: seconds(30) }
    }
}

impl ScenarioGroup {
    /// Whether a scenario of this name belongs to the group.
    pub fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

impl Plan {
    /// Reads a plan from a file.
    ///
    /// # Errors
    /// If the file is missing or not a plan; the message names the line.
    pub fn read(path: &Path) -> anyhow::Result<Plan> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the plan `{}`", path.display())).hint(
                "`deploy/demo/plan.toml` and `deploy/warehouse/plan.toml` are plans for the workloads of this project",
            )?;
        let invalid = || format!("invalid plan `{}`", path.display());
        let mut plan: Plan = toml::from_str(&text).with_context(invalid)?;
        plan.check().with_context(invalid)?;
        let folder = std::path::absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
        for command in [&mut plan.workload.start, &mut plan.workload.stop] {
            resolve_program(&folder, command);
        }
        Ok(plan)
    }

    /// The benign changes, or the faults.
    pub fn group(&self, is_benign: bool) -> &ScenarioGroup {
        if is_benign { &self.benign } else { &self.faults }
    }

    /// Checks that the time to learn from has enough sweeps for a model.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_learn_time(&self, interval: Duration) -> anyhow::Result<()> {
        let least = interval * (graph::MIN_SNAPSHOTS as u32 + SPARE_SWEEPS);
        if self.healthy.learn >= least {
            return Ok(());
        }
        let [least, found] = [least, self.healthy.learn].map(humantime::format_duration);
        Err(anyhow::anyhow!("`healthy.learn` of the plan must be at least {least}, found {found}"))
            .hint("learn for minutes: rare events alarm if they were not learned")
    }

    fn check(&self) -> anyhow::Result<()> {
        for (name, command) in [("start", &self.workload.start), ("stop", &self.workload.stop)] {
            if command.first().is_none_or(String::is_empty) {
                bail!("`workload.{name}` must name a program, found nothing");
            }
        }
        for (name, group) in [("benign", &self.benign), ("faults", &self.faults)] {
            if group.duration.is_zero() || group.duration > MAX_DURATION {
                let found = humantime::format_duration(group.duration);
                let most = humantime::format_duration(MAX_DURATION);
                bail!("`{name}.duration` must be more than 0s and at most {most}, found {found}");
            }
        }
        Ok(())
    }
}

fn resolve_program(folder: &Path, command: &mut [String]) {
    if let Some(program) = command.first_mut().filter(|program| program.contains('/')) {
        *program = folder.join(&*program).to_string_lossy().into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = r#"
        system = "shop"
        [workload]
        start = ["./shop", "start"]
        stop = ["true"]
        settle = "5s"
        [healthy]
        learn = "2m"
        evaluate = "1m"
    "#;

    fn read(text: &str) -> anyhow::Result<Plan> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        Plan::read(&path).map_err(|error| anyhow::anyhow!("{error:#}").context(path.display().to_string()))
    }

    #[test]
    fn missing_keys_have_defaults_and_programs_are_relative_to_the_plan() {
        let plan = read(SHORT).unwrap();
        assert_eq!((plan.faults.repeats, plan.faults.duration), (1, Duration::from_secs(30)));
        assert!(plan.workload.start[0].starts_with('/') && plan.workload.start[0].ends_with("/./shop"));
        assert_eq!(plan.workload.stop, ["true"]);
    }

    #[test]
    fn too_little_time_to_learn_from_is_refused() {
        let plan = read(&SHORT.replace("2m", "14s")).unwrap();
        let error = format!("{:#}", plan.check_learn_time(Duration::from_secs(1)).unwrap_err());
        assert!(error.contains("`healthy.learn` of the plan must be at least 15s, found 14s"), "{error}");
        assert!(plan.check_learn_time(Duration::from_millis(500)).is_ok());
    }

    #[test]
    fn an_invalid_plan_is_refused_with_what_was_expected() {
        for (from, to, expected) in [
            ("[\"true\"]", "[]", "`workload.stop` must name a program, found nothing"),
            ("evaluate = \"1m\"", "evaluate = \"1m\"\n[faults]\nduration = \"0s\"", "`faults.duration` must be more"),
            ("learn", "lern", "unknown field `lern`"),
        ] {
            let error = format!("{:#}", read(&SHORT.replace(from, to)).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
