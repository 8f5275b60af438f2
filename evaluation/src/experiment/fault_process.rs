//! A fault as a process of its own, `detective fault start`, and the ground truth that it prints.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use faults::{ground_truth::Suspect, workload::FOLDER_VARIABLE};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

/// Interval at which the process is checked for its end.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The ground truth, as `detective fault start --json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub struct FaultTruth {
    /// When the fault began, in milliseconds since 1970.
    pub time: f64,
    /// Nodes that count as the root cause.
    pub root_cause: Vec<Suspect>,
    /// Nodes that are affected.
    pub victims: Vec<Suspect>,
}

/// A running fault or benign change. Dropping it undoes the fault.
pub struct FaultProcess {
    process: Child,
    /// The ground truth.
    pub truth: FaultTruth,
}

impl FaultProcess {
    /// Starts a fault that lasts for `duration`, on the workload in a folder or else the default
    /// one, and waits until it has begun.
    ///
    /// # Errors
    /// If the fault does not begin, with the error that it prints.
    pub async fn start(fault: &str, duration: Duration, workload: Option<&Path>) -> anyhow::Result<FaultProcess> {
        let fault = fault.to_owned();
        let duration = humantime::format_duration(duration).to_string();
        let workload = workload.map(Path::to_owned);
        tokio::task::spawn_blocking(move || FaultProcess::start_blocking(&fault, &duration, workload)).await?
    }

    fn start_blocking(fault: &str, duration: &str, workload: Option<PathBuf>) -> anyhow::Result<FaultProcess> {
        // The path of the program, and not `/proc/self/exe`, which would become the name of the
        // process.
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut process = Command::new(program)
            .args(["fault", "start", fault, "--json", "--after", "0s", "--for", duration])
            .envs(workload.map(|folder| (FOLDER_VARIABLE, folder)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{fault}`"))?;
        let mut line = String::new();
        let stdout = process.stdout.take().with_context(|| format!("`{fault}` has no standard output"))?;
        let read = BufReader::new(stdout).read_line(&mut line);
        if let (Ok(_), Ok(truth)) = (read, serde_json::from_str(&line)) {
            return Ok(FaultProcess { process, truth });
        }
        let message = read_to_end(process.stderr.take());
        let status = process.wait().with_context(|| format!("cannot wait for `{fault}`"))?;
        bail!("`{fault}` did not begin and ended with {status}: {message}");
    }

    /// Waits until the fault has ended and is undone.
    ///
    /// # Errors
    /// If the process fails.
    pub async fn wait(&mut self) -> anyhow::Result<()> {
        let status = loop {
            if let Some(status) = self.process.try_wait().context("cannot wait for the fault")? {
                break status;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        };
        let message = read_to_end(self.process.stderr.take());
        anyhow::ensure!(status.success(), "the fault ended with {status}: {message}");
        Ok(())
    }
}

impl Drop for FaultProcess {
    /// Terminates the process, which undoes its fault before it exits.
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.process.try_wait(), i32::try_from(self.process.id())) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
            let _ = self.process.wait();
        }
    }
}

fn read_to_end(stderr: Option<ChildStderr>) -> String {
    let mut text = String::new();
    if let Some(mut stderr) = stderr {
        let _ = stderr.read_to_string(&mut text);
    }
    text.trim_end().to_owned()
}
