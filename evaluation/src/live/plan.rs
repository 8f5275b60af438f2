//! What is played, as a person writes it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use serde::Deserialize;
use service::Hint;

/// Sweeps that may come late, or not be sound.
const SPARE_SWEEPS: u32 = 5;

/// A plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the workload is called among the cases.
    pub system: String,
    /// The workload.
    pub workload: Workload,
    /// How long all is well.
    pub healthy: Healthy,
    /// The changes that are none of anybody's business.
    #[serde(default)]
    pub harmless: Changes,
    /// The faults.
    #[serde(default)]
    pub faults: Changes,
}

/// How a workload is started and stopped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The command that starts it and ends once it works, and prints what is wrong on standard error. A program with a `/` in its name
    /// is looked for from the plan's folder on.
    pub start: Vec<String>,
    /// The command that ends it.
    pub stop: Vec<String>,
    /// The file to which its clients write a line of JSON for each request: `{"t", "ms", "status"}`, in seconds since 1970,
    /// milliseconds, and the status of HTTP or 0 for none. `{uid}` stands for the user's id.
    pub latencies: Option<PathBuf>,
    /// From its start to anything else.
    #[serde(with = "humantime_serde")]
    pub settles: Duration,
}

/// How long all is well.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healthy {
    /// What is learned from.
    #[serde(with = "humantime_serde")]
    pub learn: Duration,
    /// What is judged, before, between and after the harmless changes.
    #[serde(with = "humantime_serde")]
    pub judged: Duration,
}

/// Faults, or harmless changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Which; none named: all that there are.
    pub only: Vec<String>,
    /// How often each is played; 0: never.
    pub repeats: u32,
    /// How long one lasts.
    #[serde(with = "humantime_serde")]
    pub lasts: Duration,
    /// How long is recorded before each.
    #[serde(with = "humantime_serde")]
    pub before: Duration,
    /// How long is recorded after each, before anything else.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
}

impl Default for Changes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Changes { only: Vec::new(), repeats: 1, lasts: seconds(30), before: seconds(20), after: seconds(30) }
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// If there is none, or it is not one; the message tells the line.
    pub fn read(path: &Path) -> anyhow::Result<Plan> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan `{}`", path.display()))
            .hint("one for the shop of `deploy/demo` is `deploy/demo/plan.toml`")?;
        let mut plan: Plan =
            toml::from_str(&text).with_context(|| format!("`{}` is no plan that can be played", path.display()))?;
        plan.check().with_context(|| format!("`{}` is no plan that can be played", path.display()))?;
        let folder = std::path::absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
        for command in [&mut plan.workload.start, &mut plan.workload.stop] {
            from_folder(&folder, command);
        }
        Ok(plan)
    }

    /// Sees to it that health lasts for as many sweeps as a model is learned from at least.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_learned(&self, interval: Duration) -> anyhow::Result<()> {
        let least = interval * (trainer::dataset::MIN_SNAPSHOTS as u32 + SPARE_SWEEPS);
        if self.healthy.learn >= least {
            return Ok(());
        }
        let [least, found] = [least, self.healthy.learn].map(humantime::format_duration);
        Err(anyhow::anyhow!("`healthy.learn` of the plan must be at least {least}, found {found}"))
            .hint("what is seldom alarms if it was never learned: minutes are better")
    }

    fn check(&self) -> anyhow::Result<()> {
        for (name, command) in [("start", &self.workload.start), ("stop", &self.workload.stop)] {
            if command.first().is_none_or(String::is_empty) {
                bail!("`workload.{name}` must name a program, found nothing");
            }
        }
        for (name, changes) in [("harmless", &self.harmless), ("faults", &self.faults)] {
            if changes.lasts.is_zero() || changes.lasts > Duration::from_secs(600) {
                let found = humantime::format_duration(changes.lasts);
                bail!("`{name}.lasts` must be more than 0s and at most 10m, found {found}");
            }
        }
        Ok(())
    }
}

fn from_folder(folder: &Path, command: &mut [String]) {
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
        settles = "5s"
        [healthy]
        learn = "2m"
        judged = "1m"
    "#;

    fn read(text: &str) -> anyhow::Result<Plan> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        Plan::read(&path).map_err(|error| anyhow::anyhow!("{error:#}").context(path.display().to_string()))
    }

    #[test]
    fn what_is_not_said_has_defaults_and_programs_are_found_from_the_plan_on() {
        let plan = read(SHORT).unwrap();
        assert_eq!((plan.faults.repeats, plan.faults.lasts), (1, Duration::from_secs(30)));
        assert!(plan.workload.start[0].starts_with('/') && plan.workload.start[0].ends_with("/./shop"));
        assert_eq!(plan.workload.stop, ["true"]);
    }

    #[test]
    fn too_little_to_learn_from_is_told_before_anything_is_played() {
        let plan = read(&SHORT.replace("2m", "14s")).unwrap();
        let error = format!("{:#}", plan.check_learned(Duration::from_secs(1)).unwrap_err());
        assert!(error.contains("`healthy.learn` of the plan must be at least 15s, found 14s"), "{error}");
        assert!(plan.check_learned(Duration::from_millis(500)).is_ok());
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_what_was_expected() {
        for (from, to, expected) in [
            ("[\"true\"]", "[]", "`workload.stop` must name a program, found nothing"),
            ("judged = \"1m\"", "judged = \"1m\"\n[faults]\nlasts = \"0s\"", "`faults.lasts` must be more than 0s"),
            ("learn", "lern", "unknown field `lern`"),
        ] {
            let error = format!("{:#}", read(&SHORT.replace(from, to)).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
