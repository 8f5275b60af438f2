//! Settings of a sweep.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sweep]`: how to read the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SweepConfig {
    /// Time between the starts of two sweeps. Shorter intervals catch shorter events and cost more
    /// CPU. At least `50ms`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub interval: Duration,
    /// Mount point of the `proc` filesystem: `/proc`, or `/host/proc` for a producer in a container
    /// that has the host's mounted there.
    pub proc: PathBuf,
    /// Mount point of the control group hierarchies: `/sys/fs/cgroup`, or `/host/sys/fs/cgroup` for
    /// a producer in a container that has the host's mounted there.
    pub cgroup: PathBuf,
    /// Maximum CPU time, in percent of one core, for reading the state of threads other than main
    /// threads, to find those that wait. Threads beyond it are reported as not covered and are read
    /// first in the next sweep. At most `100`.
    pub deep_cpu_percent: u32,
    /// Maximum CPU time, in percent of one core, for reading file descriptors. Processes that have
    /// more descriptors than their fair share are read in part, those with up to 64 always
    /// completely. At most `100`.
    pub descriptor_cpu_percent: u32,
    /// Maximum number of file descriptors that one sweep reads of all processes together. Up to 64
    /// of each process are read even beyond it.
    pub max_descriptors: u64,
    /// Maximum number of file descriptors that one sweep reads of one process. Those with the
    /// lowest numbers are read, and those through which it waits for a lock, a read or a write.
    pub max_process_descriptors: u64,
    /// Maximum number of files in a snapshot, beside those that are waited for. Locked files come
    /// first, then shared files and those on a full or frozen filesystem.
    pub max_files: u64,
    /// Read the open files of all processes in every sweep. By default, the files of a process that
    /// has not run since the previous sweep, which cannot have changed, are read again only in one
    /// of 16 sweeps.
    pub reread: bool,
    /// Publish the command lines of processes as evidence, at most 512 bytes each, without the
    /// parts that are or may be secrets. No list of words that precede a secret is complete: leave
    /// this off if snapshots reach people who may not see the command lines on the host.
    pub arguments: bool,
    /// Paths of further executables of Local Detective, separated by `:`, as
    /// `readlink /proc/PID/exe` shows them; a symbolic link does not match. For programs that are
    /// not installed next to the producer, for instance in containers of their own. Processes that
    /// run one of them for the producer's user are not in snapshots, except fault helpers. Any
    /// process that runs as that user can hide by running a program at a listed path, also in
    /// another container.
    pub own_programs: String,
    /// Maximum bytes of snapshots that are queued while the bus is slow or unavailable. Beyond it,
    /// the oldest are dropped and counted. The newest is always kept.
    pub queue_bytes: u64,
}

impl Default for SweepConfig {
    fn default() -> Self {
        SweepConfig {
            interval: Duration::from_secs(1),
            proc: PathBuf::from("/proc"),
            cgroup: PathBuf::from("/sys/fs/cgroup"),
            deep_cpu_percent: 3,
            descriptor_cpu_percent: 5,
            max_descriptors: 1 << 16,
            max_process_descriptors: 1 << 14,
            max_files: 4096,
            reread: false,
            arguments: false,
            own_programs: String::new(),
            queue_bytes: 64 << 20,
        }
    }
}

impl SweepConfig {
    /// The shortest interval.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(50);

    /// Returns all problems of the settings, as pairs of a key in this section and a sentence. Does
    /// no I/O.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.interval < Self::MIN_INTERVAL {
            problems.push(("interval", format!("must be at least 50ms, found {:?}", self.interval)));
        }
        for (key, percent) in
            [("deep_cpu_percent", self.deep_cpu_percent), ("descriptor_cpu_percent", self.descriptor_cpu_percent)]
        {
            if percent > 100 {
                problems.push((key, format!("must be at most 100, found {percent}")));
            }
        }
        let relative = self.own_programs.split(':').find(|path| !path.is_empty() && !path.starts_with('/'));
        if let Some(path) = relative {
            problems.push(("own_programs", format!("must be absolute paths, found `{path}`")));
        }
        for (key, path) in [("proc", &self.proc), ("cgroup", &self.cgroup)] {
            if !path.is_absolute() {
                problems.push((key, format!("must be an absolute path, found `{}`", path.display())));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once() {
        let sweep = SweepConfig {
            interval: Duration::from_millis(1),
            proc: PathBuf::from("proc"),
            cgroup: PathBuf::from("cgroup"),
            descriptor_cpu_percent: 101,
            own_programs: "/usr/bin/a::bin/b".to_owned(),
            ..SweepConfig::default()
        };
        let keys: Vec<&str> = sweep.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["interval", "descriptor_cpu_percent", "own_programs", "proc", "cgroup"]);
        assert_eq!(SweepConfig::default().problems(), []);
    }
}
