//! The `detective up` of a run.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{http, scoped_child::ScopedChild, time::pause};

/// Snapshots that `up` learns from before the first disturbance.
const LEARN: &str = "60";
/// Connections that the API accepts beside those of the clients: samples, and connections that are
/// being closed.
const SPARE_CONNECTIONS: usize = 32;
const READY_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest time that `up` may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A process that runs `detective up` and is killed when this value is dropped.
pub struct Up {
    process: ScopedChild,
    folder: PathBuf,
    /// Address of the API.
    pub address: SocketAddr,
}

impl Up {
    /// Starts the program, with its data and output in `folder`. Its API accepts the connections of
    /// `n_clients`, so that each of their requests must be answered.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(program: &Path, folder: &Path, n_clients: usize) -> anyhow::Result<Up> {
        let address = http::free_address()?;
        let create = |path: PathBuf| File::create(&path).with_context(|| format!("cannot create `{}`", path.display()));
        let mut command = ScopedChild::command(program);
        command
            .args(["up", "--json", "--learn", LEARN, "--listen", &address.to_string(), "--data"])
            .arg(folder.join("data"))
            .env("DETECTIVE__API__MAX_CONNECTIONS", (n_clients + SPARE_CONNECTIONS).to_string())
            .stdout(create(events_path(folder))?)
            .stderr(create(log_path(folder))?)
            .stdin(Stdio::null());
        let process = ScopedChild::start("detective up", &mut command)?;
        Ok(Up { process, folder: folder.to_owned(), address })
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// If it does not within [`READY_TIMEOUT`], or the process ends.
    pub fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < READY_TIMEOUT {
            self.check_runs()?;
            if http::get(self.address, "/readyz").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            pause(Duration::from_millis(500));
        }
        bail!("`up` was not ready within {READY_TIMEOUT:?}, see `{}`", log_path(&self.folder).display())
    }

    /// Checks that the process still runs.
    ///
    /// # Errors
    /// If it has ended.
    pub fn check_runs(&mut self) -> anyhow::Result<()> {
        let status = self.process.exit_status()?;
        ensure!(status.is_none(), "`up` ended during the run, see `{}`", log_path(&self.folder).display());
        Ok(())
    }

    /// The resident memory, in megabytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn rss_mb(&self) -> anyhow::Result<f64> {
        self.process.rss_mb()
    }

    /// The number of scored snapshots; `None` if `/metrics` does not report it.
    pub fn scored_snapshots(&self) -> Option<u64> {
        let (_, text) = http::get(self.address, "/metrics").ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix("detective_snapshots_scored_total "))?;
        value.trim().parse().ok()
    }

    /// Sends SIGTERM, and returns the exit code and the file of the events. The exit code is `None`
    /// if a signal ended the process, or it had to be killed because it did not end in time.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn end(mut self) -> anyhow::Result<(Option<i32>, PathBuf)> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).context("`up` has no pid")?;
        kill_process(pid, Signal::TERM).context("cannot end `up`")?;
        let start = Instant::now();
        let mut status = None;
        while status.is_none() && start.elapsed() < END_TIMEOUT {
            pause(Duration::from_millis(50));
            status = self.process.exit_status()?;
        }
        Ok((status.and_then(|status| status.code()), events_path(&self.folder)))
    }
}

fn events_path(folder: &Path) -> PathBuf {
    folder.join("events.jsonl")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("up.log")
}
