//! What the producer is told.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sweep]`: how to look at the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SweepConfig {
    /// Time between the starts of two sweeps. Shorter catches briefer trouble and costs CPU. At least `50ms`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub interval: Duration,
    /// Where the `proc` file system is mounted: `/proc`, or for a producer in a container the host's (`/host/proc`).
    pub proc: PathBuf,
    /// Where the hierarchies of control groups are mounted: `/sys/fs/cgroup`, or for a producer in a container the host's
    /// (`/host/sys/fs/cgroup`).
    pub cgroup: PathBuf,
    /// The most CPU time that deep reads may take, in percent of one core: a look at each thread that is not a main thread, in search
    /// of those that wait. Threads beyond are counted as not covered and come first in the next sweep. At most `100`.
    pub deep_cpu_percent: u32,
    /// Whether the files of all processes are read in every sweep. Else those of a process that has not run since the sweep before, which
    /// cannot have changed, are read again only now and then.
    pub reread: bool,
    /// Whether the arguments of processes are sent too, as evidence: of each at most 512 bytes, without what is or may be a
    /// secret. No list of what stands before a secret is complete, so leave it off where snapshots go further than those
    /// who may see the arguments anyway.
    pub arguments: bool,
    /// The most bytes of snapshots that wait while the bus is slow or away. Beyond that the oldest are dropped and
    /// counted; the newest always waits.
    pub queue_bytes: u64,
}

impl Default for SweepConfig {
    fn default() -> Self {
        SweepConfig {
            interval: Duration::from_secs(1),
            proc: PathBuf::from("/proc"),
            cgroup: PathBuf::from("/sys/fs/cgroup"),
            deep_cpu_percent: 3,
            reread: false,
            arguments: false,
            queue_bytes: 64 << 20,
        }
    }
}

impl SweepConfig {
    pub(crate) const SHORTEST: Duration = Duration::from_millis(50);

    /// What is wrong with the settings, as pairs of a key within this section and a sentence. Does no I/O.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.interval < Self::SHORTEST {
            problems.push(("interval", format!("must be at least 50ms, found {:?}", self.interval)));
        }
        if self.deep_cpu_percent > 100 {
            problems.push(("deep_cpu_percent", format!("must be at most 100, found {}", self.deep_cpu_percent)));
        }
        for (key, path) in [("proc", &self.proc), ("cgroup", &self.cgroup)] {
            if !path.is_absolute() {
                problems.push((key, format!("must be an absolute path, found `{}`", path.display())));
            }
        }
        problems
    }
}

/// A producer: whose host it watches, how, and what it never shows.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    /// Host id; the key of its records.
    pub host: String,
    /// The group of like hosts that share a model.
    pub cohort: String,
    /// How to look.
    pub sweep: SweepConfig,
    /// Local Detective's own data; files at or below these paths are never shown.
    pub own_paths: Vec<PathBuf>,
}

impl Producer {
    /// A producer of this machine. An empty `host` is the system's name of it, an empty `cohort` the host: a group of
    /// its own.
    pub fn new(host: &str, cohort: &str, sweep: SweepConfig, own_paths: Vec<PathBuf>) -> Producer {
        let or = |given: &str, other: String| if given.is_empty() { other } else { given.to_owned() };
        let host = or(host, rustix::system::uname().nodename().to_string_lossy().into_owned());
        let cohort = or(cohort, host.clone());
        Producer { host, cohort, sweep, own_paths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once() {
        let sweep = SweepConfig {
            interval: Duration::from_millis(1),
            proc: PathBuf::from("proc"),
            cgroup: PathBuf::from("cgroup"),
            ..SweepConfig::default()
        };
        let keys: Vec<&str> = sweep.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["interval", "proc", "cgroup"]);
        assert_eq!(SweepConfig::default().problems(), []);
    }

    #[test]
    fn a_host_without_a_name_has_the_systems_and_one_without_a_cohort_is_its_own() {
        let of = |host, cohort| {
            let producer = Producer::new(host, cohort, SweepConfig::default(), Vec::new());
            (producer.host, producer.cohort)
        };
        assert_eq!(of("a", "b"), ("a".into(), "b".into()));
        assert_eq!(of("a", ""), ("a".into(), "a".into()));
        let (host, cohort) = of("", "");
        assert!(!host.is_empty() && host == cohort);
    }
}
