//! The settings of the scorer: sections `[learn]`, `[alarm]` and `[api]`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use graph::MIN_SNAPSHOTS;
use serde::{Deserialize, Serialize};

/// `[learn]`: which snapshots models are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// Number of snapshots that a cohort learns from before its first model, at least 10. They are
    /// assumed to be healthy; the trainer removes outliers.
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
    /// Largest number of open incidents of a host. Further root causes share one incident, which
    /// says how many there are.
    pub max_open: u32,
    /// Largest number of incidents of a host that open in a minute. When more root causes appear,
    /// those with the same symptom share one incident, and all that are still over the limit share
    /// another.
    pub max_opened_per_minute: u32,
    /// Marks the incidents of a host as stale when it has sent no snapshot for this long. More than
    /// `sweep.interval`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub stale_after: Duration,
    /// Deletes resolved incidents after this long, and unresolved ones whose hosts have been silent
    /// for as long. Their events remain in the alerts topic.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub keep_resolved: Duration,
    /// Removes the state of a host that has sent no snapshot for this long: its newest graph and
    /// its rankings. Its incidents remain and continue when it returns.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub forget_host_after: Duration,
    /// Largest number of hosts that a scorer keeps state of, about 1 MB each. Snapshots of further
    /// hosts are moved to the dead letters.
    pub max_hosts: u32,
}

impl Default for AlarmConfig {
    fn default() -> Self {
        AlarmConfig {
            sweeps_of_three: 2,
            quiet_sweeps: 15,
            max_open: 20,
            max_opened_per_minute: 10,
            stale_after: Duration::from_secs(30),
            keep_resolved: Duration::from_secs(7 * 24 * 3600),
            forget_host_after: Duration::from_secs(3600),
            max_hosts: 5000,
        }
    }
}

/// `[api]`: the HTTP API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address to listen on. The API has no encryption: keep it on loopback, or put a proxy with
    /// TLS before it, and list the proxy's names in `hosts`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// `/readyz` returns 503 if no snapshot was received, scored or published in the time of this
    /// many sweeps, or in 10 seconds if that is longer.
    pub ready_sweeps: u32,
    /// Names of this host, beside `localhost`, its loopback addresses and the address of `listen`,
    /// that a client may send as `Host`.
    pub hosts: Vec<String>,
    /// File of the token that clients need to change something or to read `/api/graph`, as
    /// `Authorization: Bearer TOKEN`. It is created at the start, for its owner only. Empty:
    /// `api.token` in the data directory.
    pub token_file: PathBuf,
    /// Clients that may read suspects, incidents and metrics without the token. All clients of a
    /// proxy on this host count as loopback: set `none` unless the proxy authenticates them.
    pub open_to: OpenTo,
    /// Largest number of connections at a time, 1 to 10000. Further connections are closed.
    pub max_connections: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        ApiConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 7117)),
            hosts: Vec::new(),
            token_file: PathBuf::new(),
            open_to: OpenTo::Loopback,
            max_connections: 128,
            ready_sweeps: 15,
        }
    }
}

/// Which clients need no token to read suspects, incidents and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpenTo {
    /// Clients on this host.
    Loopback,
    /// All clients. For an address that only a proxy can reach.
    All,
    /// No client.
    None,
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
        if (self.snapshots as usize) < MIN_SNAPSHOTS {
            problems.push(("snapshots", format!("expected at least {MIN_SNAPSHOTS}, found {}", self.snapshots)));
        }
        if self.keep_one_in == 0 {
            problems.push(("keep_one_in", "expected at least 1, found 0".to_owned()));
        }
        problems
    }
}

impl AlarmConfig {
    /// Returns each value that is out of range: its key below `alarm`, and a message with the
    /// expected range and the value found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=3).contains(&self.sweeps_of_three) {
            problems.push(("sweeps_of_three", format!("expected 1 to 3, found {}", self.sweeps_of_three)));
        }
        let counts = [
            ("quiet_sweeps", self.quiet_sweeps),
            ("max_open", self.max_open),
            ("max_opened_per_minute", self.max_opened_per_minute),
            ("max_hosts", self.max_hosts),
        ];
        for (key, _) in counts.into_iter().filter(|(_, count)| *count == 0) {
            problems.push((key, "expected at least 1, found 0".to_owned()));
        }
        let times = [("stale_after", self.stale_after), ("keep_resolved", self.keep_resolved)];
        for (key, _) in times.into_iter().filter(|(_, time)| time.is_zero()) {
            problems.push((key, "expected a time above 0s, found 0s".to_owned()));
        }
        if self.forget_host_after < self.stale_after {
            let message = format!("expected at least `stale_after`, found {:?}", self.forget_host_after);
            problems.push(("forget_host_after", message));
        }
        problems
    }
}

impl ApiConfig {
    /// Returns each value that is out of range: its key below `api`, and a message with the
    /// expected range and the value found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=10_000).contains(&self.max_connections) {
            problems.push(("max_connections", format!("expected 1 to 10000, found {}", self.max_connections)));
        }
        if self.ready_sweeps == 0 {
            problems.push(("ready_sweeps", "expected at least 1, found 0".to_owned()));
        }
        problems
    }

    /// The settings with the path of the token file, which is in the data directory by default.
    pub fn with_data_directory(&self, directory: &Path) -> ApiConfig {
        const NAME: &str = "api.token";
        let is_default = self.token_file.as_os_str().is_empty();
        let token_file = if is_default { directory.join(NAME) } else { self.token_file.clone() };
        ApiConfig { token_file, ..self.clone() }
    }
}
