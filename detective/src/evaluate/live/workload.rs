//! The workload of a plan, while it is played.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use rustix::process::geteuid;
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::plan;

/// A workload that runs. It is stopped when this is dropped.
pub struct Workload {
    stop: Vec<String>,
    /// Where its clients write what they felt.
    pub latencies: Option<PathBuf>,
}

impl Workload {
    /// Starts it, and waits until it works and has settled, or `shutdown` is cancelled.
    ///
    /// # Errors
    /// If it does not; what it printed is in the message.
    pub async fn start(plan: &plan::Workload, shutdown: &CancellationToken) -> anyhow::Result<Workload> {
        let plan::Workload { start, stop, latencies, settles } = plan.clone();
        let latencies = latencies.map(|path| {
            let uid = geteuid().as_raw().to_string();
            PathBuf::from(path.to_string_lossy().replace("{uid}", &uid))
        });
        tokio::task::spawn_blocking(move || run(&start)).await??;
        // From here on it is there to be stopped.
        let workload = Workload { stop, latencies };
        let _ = shutdown.run_until_cancelled(tokio::time::sleep(settles)).await;
        workload.check_latencies()?;
        Ok(workload)
    }

    /// An hour is not to be played before it is seen that nobody tells what they felt.
    fn check_latencies(&self) -> anyhow::Result<()> {
        let Some(file) = self.latencies.as_deref().filter(|file| !file.is_file()) else { return Ok(()) };
        Err(anyhow::anyhow!("the workload writes no latencies to `{}`", file.display()))
            .hint("`workload.latencies` of the plan must be where it writes them; DETECTIVE_SHOP moves the shop's")
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        if let Err(error) = run(&self.stop) {
            tracing::error!(error = format!("{error:#}"), "the workload was not stopped");
        }
    }
}

fn run(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("a command of the plan is empty")?;
    let line = command.join(" ");
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
