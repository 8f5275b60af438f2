//! Settings, retries, signals and error reports, as a program uses them.
#![allow(clippy::unwrap_used)]

mod config;
mod reference;
mod retry;
mod run;
mod shutdown;

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Problems, Settings};

/// Settings of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Example {
    /// Name of the host;
    /// by default the system's.
    host: Option<String>,
    /// When to sweep.
    sweep: Sweep,
    /// Where to listen.
    page: Option<Page>,
    /// Labels | groups.
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Sweep {
    /// Time between sweeps.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    interval: Duration,
    /// Must be less than `sweep.interval`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    deadline: Duration,
    /// Number of threads.
    workers: u16,
    /// Share of samples to keep.
    share: f64,
    /// Whether to sweep.
    enabled: bool,
    /// What to sweep.
    depth: Depth,
    /// Names to ignore.
    ignore: Vec<String>,
    /// Ports to watch.
    ports: Vec<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Page {
    /// The port.
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Depth {
    /// Processes.
    Shallow,
    /// Threads too.
    Deep,
}

impl Default for Example {
    fn default() -> Self {
        let sweep = Sweep::default();
        Example { host: None, sweep, page: None, labels: BTreeMap::from([("tier".into(), "test".into())]) }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Sweep {
            interval: Duration::from_secs(1),
            deadline: Duration::from_millis(800),
            workers: 2,
            share: 0.5,
            enabled: true,
            depth: Depth::Shallow,
            ignore: Vec::new(),
            ports: vec![80],
        }
    }
}

impl Settings for Example {
    const FOREIGN: &'static [&'static str] = &["neighbour"];

    fn check(&self, problems: &mut Problems) {
        if self.sweep.deadline >= self.sweep.interval {
            let interval = humantime_serde::re::humantime::format_duration(self.sweep.interval);
            problems.add("sweep.deadline", format!("must be less than `sweep.interval`, which is {interval}"));
        }
        if self.sweep.workers == 0 {
            problems.add_section("sweep", [("workers", "must be at least 1, found 0".to_owned())]);
        }
    }
}
