//! What is observed of `up` during a run, and what must hold.

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::disturbances::Disturbances;
use crate::{http, time::pause};

/// Memory must not grow after this time.
const WARM_UP: Duration = Duration::from_secs(600);
/// Growth of memory that counts as flat, as a factor.
const FLAT: f64 = 1.15;
/// Longest time without a new snapshot: the interval of a second, one more, and the time between
/// two samples.
const MAX_GAP: Duration = Duration::from_millis(2600);

/// Samples of memory and progress.
pub struct Observer {
    address: SocketAddr,
    pid: u32,
    started_at: Instant,
    /// Resident memory in megabytes, with the time since the start.
    memory: Vec<(Duration, f64)>,
    snapshots: u64,
    snapshot_at: Instant,
    longest_gap: Duration,
    failed_samples: u64,
}

/// The result of a run.
pub struct Report {
    /// Snapshots that were scored.
    pub snapshots: u64,
    /// Largest resident memory in the first [`WARM_UP`] and after it, in megabytes.
    pub memory_mb: (f64, f64),
    /// Longest time without a new snapshot.
    pub longest_gap: Duration,
    /// Incidents that were opened.
    pub incidents: usize,
    /// Summaries of the incidents whose root cause was not started by the run.
    pub without_cause: Vec<String>,
    /// Looks at `/metrics` that failed.
    pub failed_samples: u64,
    /// Requests of clients that were not answered.
    pub failed_requests: u64,
    /// Exit code after SIGTERM; `None` if `up` did not end in time.
    pub exit: Option<i32>,
}

impl Observer {
    /// Observes the process that serves this address.
    pub fn new(address: SocketAddr, pid: u32) -> Observer {
        Observer {
            address,
            pid,
            started_at: Instant::now(),
            memory: Vec::new(),
            snapshots: 0,
            snapshot_at: Instant::now(),
            longest_gap: Duration::ZERO,
            failed_samples: 0,
        }
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// If it does not within this time.
    pub fn wait_until_ready(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < timeout {
            if http::get(self.address, "/readyz").is_ok_and(|(status, _)| status == 200) {
                self.started_at = Instant::now();
                self.snapshot_at = Instant::now();
                return Ok(());
            }
            pause(Duration::from_millis(500));
        }
        bail!("`up` was not ready within {timeout:?}")
    }

    /// Reads memory and the number of scored snapshots.
    pub fn sample(&mut self) {
        if let Some(memory) = self.resident_mb() {
            self.memory.push((self.started_at.elapsed(), memory));
        }
        let Some(snapshots) = self.scored() else {
            self.failed_samples += 1;
            return;
        };
        self.longest_gap = self.longest_gap.max(self.snapshot_at.elapsed());
        if snapshots > self.snapshots {
            self.snapshots = snapshots;
            self.snapshot_at = Instant::now();
        }
    }

    /// Reads the events that `up` printed, and compares them with what was done.
    ///
    /// # Errors
    /// If the file cannot be read or has a line that is not an event.
    pub fn into_report(self, events: &Path, disturbances: &Disturbances) -> anyhow::Result<Report> {
        let text = std::fs::read(events).with_context(|| format!("cannot read `{}`", events.display()))?;
        let mut opened = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let event: Value = serde_json::from_str(line).with_context(|| format!("not an event: `{line}`"))?;
            if event["event"] == "opened" {
                opened.push(event);
            }
        }
        let without_cause = opened.iter().filter(|event| !names_a_disturbance(event, disturbances));
        let without_cause = without_cause.map(|event| event["summary"].to_string()).collect();
        let largest = |is_included: &dyn Fn(Duration) -> bool| {
            self.memory.iter().filter(|(at, _)| is_included(*at)).map(|(_, memory)| *memory).fold(0.0, f64::max)
        };
        Ok(Report {
            snapshots: self.snapshots,
            memory_mb: (largest(&|at| at < WARM_UP), largest(&|at| at >= WARM_UP)),
            longest_gap: self.longest_gap,
            incidents: opened.len(),
            without_cause,
            failed_samples: self.failed_samples,
            failed_requests: 0,
            exit: None,
        })
    }

    fn resident_mb(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024.0 / 1e6)
    }

    fn scored(&self) -> Option<u64> {
        let (_, text) = http::get(self.address, "/metrics").ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix("detective_snapshots_scored_total "))?;
        value.trim().parse().ok()
    }
}

fn names_a_disturbance(event: &Value, disturbances: &Disturbances) -> bool {
    let root = &event["initiating"];
    ["name", "role", "path"].iter().filter_map(|key| root[*key].as_str()).any(|name| disturbances.includes(name))
}

impl Report {
    /// Checks all that a run promises.
    ///
    /// # Errors
    /// The first promise that does not hold.
    pub fn check(&self) -> anyhow::Result<()> {
        let (warm_up, after) = self.memory_mb;
        ensure!(after <= warm_up * FLAT, "memory grew from {warm_up:.1} MB to {after:.1} MB");
        ensure!(self.longest_gap <= MAX_GAP, "expected a snapshot a second, found none for {:?}", self.longest_gap);
        ensure!(self.without_cause.is_empty(), "{} incidents without a cause", self.without_cause.len());
        ensure!(self.failed_samples == 0, "{} requests for `/metrics` failed", self.failed_samples);
        ensure!(self.exit == Some(0), "expected exit code 0 within 5 s of SIGTERM, found {:?}", self.exit);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (warm_up, after) = self.memory_mb;
        writeln!(text, "snapshots scored             {}", self.snapshots)?;
        writeln!(text, "longest time between two     {:.1} s", self.longest_gap.as_secs_f64())?;
        writeln!(text, "largest RSS, first 10 min    {warm_up:.1} MB")?;
        writeln!(text, "largest RSS, afterwards      {after:.1} MB")?;
        writeln!(text, "incidents opened             {}", self.incidents)?;
        writeln!(text, "  without a cause            {}", self.without_cause.len())?;
        for summary in &self.without_cause {
            writeln!(text, "    {summary}")?;
        }
        writeln!(text, "failed looks at /metrics     {}", self.failed_samples)?;
        writeln!(text, "unanswered client requests   {}", self.failed_requests)?;
        write!(text, "exit code                    {:?}", self.exit)
    }
}
