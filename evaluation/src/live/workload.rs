//! The workload of a plan, while it is played.

use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::geteuid;
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::plan;

/// So much of what a command says is told, in bytes.
const MOST_SAID: u64 = 16 << 10;
/// From a command's end to that of what it said.
const PATIENCE: Duration = Duration::from_secs(1);

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
    let cannot = || format!("cannot run `{line}`");
    let command =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut process = command.with_context(cannot)?;
    let said = process.stderr.take().with_context(cannot)?;
    let (sender, complaint) = channel();
    // Beside it: what it leaves running may have hold of the pipe for as long as it likes.
    std::thread::spawn(move || hear(said, &sender));
    let status = process.wait().with_context(cannot)?;
    if !status.success() {
        bail!("`{line}` ended with {status}: {}", complaint.recv_timeout(PATIENCE).unwrap_or_default().trim_end());
    }
    Ok(())
}

/// Sends the first of what is said once no more is, or it is enough, and then hears the rest, so that nobody writes to a broken pipe.
fn hear(mut said: impl Read, sender: &Sender<String>) {
    let mut first = Vec::new();
    let _ = said.by_ref().take(MOST_SAID).read_to_end(&mut first);
    let _ = sender.send(String::from_utf8_lossy(&first).into_owned());
    let _ = std::io::copy(&mut said, &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> anyhow::Result<()> {
        run(&["sh", "-c", script].map(str::to_owned))
    }

    #[test]
    fn what_goes_on_behind_a_command_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        // It has hold of the pipe until the gate is opened, which is after the command has ended.
        shell(&format!("{{ read line; }} <>'{}' & exit 0", gate.display())).unwrap();
        std::fs::write(&gate, "go\n").unwrap();
    }

    #[test]
    fn a_failed_command_is_told_with_what_it_said() {
        let error = format!("{:#}", shell("echo no database >&2; exit 3").unwrap_err());
        assert!(error.contains("exit status: 3") && error.ends_with("no database"), "{error}");
    }
}
