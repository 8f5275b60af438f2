//! The settings of all parts: defaults, then a file, then the environment, then flags.

use std::{path::PathBuf, sync::Arc};

use bus::{Bus, BusConfig, BusError, BusKind};
use producer::{Producer, SweepConfig};
use schemars::JsonSchema;
use scorer::{AlarmConfig, ApiConfig, LearnConfig, ScorerConfig};
use serde::{Deserialize, Serialize};
use service::{Hint, Problems, Settings};
use trainer::{FeaturesConfig, TrainerSettings, TrainingConfig};

/// All settings of Local Detective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Id of this host. Empty: its host name.
    pub host: String,
    /// The group of like hosts that share a model. Empty: the host's id, a group of its own.
    pub cohort: String,
    /// How programs exchange records.
    pub bus: BusConfig,
    /// How to look at the host.
    pub sweep: SweepConfig,
    /// What a model reads.
    pub features: FeaturesConfig,
    /// How a model is made.
    pub training: TrainingConfig,
    /// How a host becomes known.
    pub learn: LearnConfig,
    /// When an incident is opened and when it is over.
    pub alarm: AlarmConfig,
    /// Where programs ask.
    pub api: ApiConfig,
    /// Forget what was learned: of this start alone, so not in files.
    #[serde(skip)]
    pub relearn: bool,
}

impl Settings for Config {
    fn check(&self, problems: &mut Problems) {
        problems.add_section("bus", self.bus.problems());
        problems.add_section("sweep", self.sweep.problems());
        problems.add_section("training", self.training.problems());
        problems.add_section("learn", self.learn.problems());
        problems.add_section("alarm", self.alarm.problems());
    }
}

impl Config {
    /// The producer's part.
    pub fn producer(&self) -> Producer {
        Producer::new(&self.host, &self.cohort, self.sweep.clone(), vec![self.bus.path.clone()])
    }

    /// The trainer's part.
    pub fn trainer(&self) -> TrainerSettings {
        TrainerSettings { training: self.training.clone(), features: self.features.clone() }
    }

    /// The scorer's part.
    pub fn scorer(&self) -> ScorerConfig {
        ScorerConfig {
            learn: self.learn.clone(),
            alarm: self.alarm.clone(),
            api: self.api.clone(),
            relearn: self.relearn,
        }
    }
}

/// The configuration of a command, from a file, the environment and flags.
///
/// # Errors
/// All problems that the settings have, in one message.
pub fn load(file: Option<PathBuf>, flags: Vec<(String, String)>) -> anyhow::Result<Config> {
    let mut config: Config = service::load(service::program::sources(file, flags))?;
    let Producer { host, cohort, .. } = config.producer();
    (config.host, config.cohort) = (host, cohort);
    config.bus.path = std::path::absolute(&config.bus.path)?;
    Ok(config)
}

/// Opens the bus, made if need be.
///
/// # Errors
/// With what to do about it.
pub async fn open(config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    bus::open(&config.bus).await.hint_from(BusError::hint)
}

/// Opens a bus that is there already, to look at it.
///
/// # Errors
/// If there is none.
pub async fn open_existing(config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    let path = &config.bus.path;
    if config.bus.kind == BusKind::Embedded && !path.join("bus.sqlite").exists() {
        return Err(anyhow::anyhow!("no detective has kept data in `{}`", path.display()))
            .hint("start one with `detective up`, or name its directory with `--data DIR`");
    }
    open(config).await
}

/// The manual of all settings, in Markdown.
pub fn manual() -> String {
    service::reference::<Config>("Settings of Local Detective")
}

/// Prints [`manual`].
///
/// # Errors
/// If standard output cannot be written to.
pub fn print_manual() -> anyhow::Result<()> {
    crate::output::print(&manual())
}
