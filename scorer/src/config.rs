//! The settings of the scorer: sections `[learn]`, `[alarm]` and `[api]`.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// `[learn]`: which snapshots models are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// Number of snapshots that a cohort learns from before its first model. They are assumed to be
    /// healthy; the trainer removes outliers.
    pub snapshots: u32,
    /// After the learning phase, one in this many quiet snapshots is kept for later training.
    pub keep_one_in: u32,
}

impl Default for LearnConfig {
    fn default() -> Self {
        LearnConfig { snapshots: 60, keep_one_in: 10 }
    }
}

/// `[alarm]`: when an incident opens and when it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmConfig {
    /// Opens an incident when this many of the last three sweeps alarm (1 to 3).
    pub sweeps_of_three: u32,
    /// Resolves an incident after this many consecutive quiet sweeps.
    pub quiet_sweeps: u32,
    /// Marks the incidents of a host as stale when it has sent no snapshot for this long.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub stale_after: Duration,
}

impl Default for AlarmConfig {
    fn default() -> Self {
        AlarmConfig { sweeps_of_three: 2, quiet_sweeps: 15, stale_after: Duration::from_secs(30) }
    }
}

/// `[api]`: the HTTP API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address to listen on. The API has no authentication: keep it on loopback, or put an
    /// authenticating proxy before it.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// `/readyz` returns 503 if no snapshot was received, scored or published in the time of this
    /// many sweeps, or in 10 seconds if that is longer.
    pub ready_sweeps: u32,
}

impl Default for ApiConfig {
    fn default() -> Self {
        ApiConfig { listen: SocketAddr::from(([127, 0, 0, 1], 7117)), ready_sweeps: 15 }
    }
}

/// Settings of [`crate::run`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScorerConfig {
    /// `[learn]`
    pub learn: LearnConfig,
    /// `[alarm]`
    pub alarm: AlarmConfig,
    /// `[api]`
    pub api: ApiConfig,
    /// Discards what was learned and starts a new generation.
    pub relearn: bool,
}

impl LearnConfig {
    /// Returns each value that is out of range: its key below `learn`, and a message with the
    /// expected range and the value found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.snapshots < LearnConfig::MIN_SNAPSHOTS {
            problems.push((
                "snapshots",
                format!("expected at least {}, found {}", LearnConfig::MIN_SNAPSHOTS, self.snapshots),
            ));
        }
        if self.keep_one_in == 0 {
            problems.push(("keep_one_in", "expected at least 1, found 0".to_owned()));
        }
        problems
    }

    /// With fewer snapshots, too few would be left for calibration.
    const MIN_SNAPSHOTS: u32 = 8;
}

impl AlarmConfig {
    /// Returns each value that is out of range: its key below `alarm`, and a message with the
    /// expected range and the value found.
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

impl ApiConfig {
    /// Returns each value that is out of range: its key below `api`, and a message with the
    /// expected range and the value found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        match self.ready_sweeps {
            0 => vec![("ready_sweeps", "expected at least 1, found 0".to_owned())],
            _ => Vec::new(),
        }
    }
}
