//! All settings: defaults, overridden by a file, by environment variables, and by flags.

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
    /// Id of this host. Empty: the host name.
    pub host: String,
    /// Cohort of hosts that share a model. Empty: the id of this host, which gets a model of its
    /// own.
    pub cohort: String,
    /// How the programs exchange records.
    pub bus: BusConfig,
    /// How the producer sweeps the host.
    pub sweep: SweepConfig,
    /// Which features a model has.
    pub features: FeaturesConfig,
    /// How a model is trained.
    pub training: TrainingConfig,
    /// When snapshots are healthy enough to learn from.
    pub learn: LearnConfig,
    /// When incidents open and resolve.
    pub alarm: AlarmConfig,
    /// The HTTP API.
    pub api: ApiConfig,
    /// Whether to forget what was learned. A flag for one start, so it is not read from files.
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
        problems.add_section("api", self.api.problems());
        let interval = self.sweep.interval;
        let stale_after = self.alarm.stale_after;
        if stale_after <= interval {
            // Every incident would be stale before the next sweep.
            let problem = format!("expected more than `sweep.interval`, which is {interval:?}, found {stale_after:?}");
            problems.add("alarm.stale_after", problem);
        }
    }
}

impl Config {
    /// The settings of the producer.
    pub fn producer(&self) -> Producer {
        Producer::new(&self.host, &self.cohort, self.sweep.clone(), vec![self.bus.path.clone()])
    }

    /// The settings of the trainer.
    pub fn trainer(&self) -> TrainerSettings {
        TrainerSettings { training: self.training.clone(), features: self.features.clone() }
    }

    /// The settings of the scorer.
    pub fn scorer(&self) -> ScorerConfig {
        ScorerConfig {
            learn: self.learn.clone(),
            alarm: self.alarm.clone(),
            api: self.api.with_data_directory(&self.bus.path),
            relearn: self.relearn,
        }
    }
}

/// Loads the settings from a file, environment variables, and `flags`: keys and values.
///
/// # Errors
/// If settings are invalid; the message lists all problems.
pub fn load(file: Option<PathBuf>, flags: Vec<(String, String)>) -> anyhow::Result<Config> {
    let mut config: Config = service::load(service::program::sources(file, flags))?;
    let Producer { host, cohort, .. } = config.producer();
    (config.host, config.cohort) = (host, cohort);
    config.bus.path = std::path::absolute(&config.bus.path)?;
    Ok(config)
}

/// Opens the bus. The embedded bus is created if it does not exist.
///
/// # Errors
/// If the bus is unavailable, with a hint.
pub async fn open_bus(config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    bus::open(&config.bus).await.hint_from(BusError::hint)
}

/// Opens a bus that exists already, to read from it.
///
/// # Errors
/// If there is none.
pub async fn open_existing_bus(config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    let path = &config.bus.path;
    if config.bus.kind == BusKind::Embedded && !path.join("bus.sqlite").exists() {
        return Err(anyhow::anyhow!("no detective data in `{}`", path.display()))
            .hint("start one with `detective up`, or name its directory with `--data DIR`");
    }
    open_bus(config).await
}

/// The reference of all settings, in Markdown.
pub fn manual() -> String {
    service::reference::<Config>("Settings of Local Detective")
}

/// Prints [`manual`].
///
/// # Errors
/// If standard output fails.
pub fn print_manual() -> anyhow::Result<()> {
    crate::output::print(&manual())
}
