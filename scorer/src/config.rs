//! What a person may set.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// `[learn]`: how a host becomes known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// How many snapshots a cohort learns from before its first model. They are taken as healthy, and learned robustly.
    pub snapshots: u32,
    /// After learning, one in this many quiet snapshots is kept to learn from later.
    pub keep_one_in: u32,
}

impl Default for LearnConfig {
    fn default() -> Self {
        LearnConfig { snapshots: 60, keep_one_in: 10 }
    }
}

/// `[alarm]`: when an incident is opened and when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmConfig {
    /// An incident is opened when this many of the last three sweeps alarm (1 to 3).
    pub sweeps_of_three: u32,
    /// An incident is resolved after this many quiet sweeps of snapshot time.
    pub quiet_sweeps: u32,
    /// A host that sends nothing for this long makes its incidents stale.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub stale_after: Duration,
}

impl Default for AlarmConfig {
    fn default() -> Self {
        AlarmConfig { sweeps_of_three: 2, quiet_sweeps: 15, stale_after: Duration::from_secs(30) }
    }
}

/// `[api]`: where programs ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address of the HTTP API. It has no authentication: keep it on loopback or behind something that has.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for ApiConfig {
    fn default() -> Self {
        ApiConfig { listen: SocketAddr::from(([127, 0, 0, 1], 7117)) }
    }
}

/// All of the scorer's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScorerConfig {
    /// `[learn]`
    pub learn: LearnConfig,
    /// `[alarm]`
    pub alarm: AlarmConfig,
    /// `[api]`
    pub api: ApiConfig,
    /// Forget what was learned and begin a new generation.
    pub relearn: bool,
}

impl LearnConfig {
    /// What is out of range: the key below `learn`, and what is expected of it.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.snapshots < LearnConfig::FEWEST {
            problems
                .push(("snapshots", format!("expected at least {}, found {}", LearnConfig::FEWEST, self.snapshots)));
        }
        if self.keep_one_in == 0 {
            problems.push(("keep_one_in", "expected at least 1, found 0".to_owned()));
        }
        problems
    }

    /// Fewer snapshots leave too little to hold back for calibration.
    const FEWEST: u32 = 8;
}

impl AlarmConfig {
    /// What is out of range: the key below `alarm`, and what is expected of it.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=3).contains(&self.sweeps_of_three) {
            problems.push(("sweeps_of_three", format!("expected 1 to 3, found {}", self.sweeps_of_three)));
        }
        if self.quiet_sweeps == 0 {
            problems.push(("quiet_sweeps", "expected at least 1, found 0".to_owned()));
        }
        if self.stale_after.is_zero() {
            problems.push(("stale_after", "expected a time above 0s, found 0s".to_owned()));
        }
        problems
    }
}
