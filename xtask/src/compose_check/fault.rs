//! The fault that is injected in a container.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use serde_json::Value;

use super::compose::Compose;

/// A running fault. It is undone when this is dropped.
pub struct Fault {
    process: Child,
    /// The root cause, as `detective fault start` prints it.
    pub ground_truth: Value,
    /// The time of day at its start.
    pub started_at: SystemTime,
    start: Instant,
}

impl Fault {
    /// Starts the fault `flock` and waits until it has begun.
    ///
    /// # Errors
    /// If it cannot be started, or prints no ground truth.
    pub fn start(compose: &Compose) -> anyhow::Result<Fault> {
        let mut command = compose.command(&["run", "--rm", "-T", "fault", "flock"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no standard output")?).read_line(&mut line)?;
        #[expect(clippy::disallowed_methods, reason = "an event carries the time of day")]
        let started_at = SystemTime::now();
        let ground_truth = serde_json::from_str(&line)
            .with_context(|| format!("expected the ground truth of the fault as JSON, found `{line}`"))?;
        Ok(Fault { process, ground_truth, started_at, start: Instant::now() })
    }

    /// The time since its start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether the first suspect of an event is the root cause.
    pub fn is_root_cause_of(&self, event: &Value) -> bool {
        ["pid", "path", "name"].iter().all(|key| event["initiating"][key] == self.ground_truth[key])
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
