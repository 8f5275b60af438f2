//! The workload of an experiment.

use std::{
    io::{Read, copy, sink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use anyhow::{Context, bail};
use faults::workload::FOLDER_VARIABLE;
use rustix::process::geteuid;
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::plan;

/// Largest part of a command's standard error that an error message contains, in bytes.
const MAX_STDERR_BYTES: u64 = 16 << 10;
/// How long to wait for the end of standard error after a command has exited.
const STDERR_TIMEOUT: Duration = Duration::from_secs(1);

/// A running workload. Dropping it stops the workload.
pub struct Workload {
    stop: Vec<String>,
    /// Folder of its state file, if the plan names one.
    pub folder: Option<PathBuf>,
    /// File to which clients write their requests.
    pub latencies: Option<PathBuf>,
}

impl Workload {
    /// Starts the workload, and waits until it has settled or `shutdown` is cancelled.
    ///
    /// # Errors
    /// If the command fails, with its standard error, or clients write no latencies.
    pub async fn start(plan: &plan::Workload, shutdown: &CancellationToken) -> anyhow::Result<Workload> {
        let plan::Workload { start, stop, folder, latencies, settle } = plan.clone();
        let folder = folder.map(with_uid);
        let latencies = latencies.map(with_uid);
        let start_folder = folder.clone();
        tokio::task::spawn_blocking(move || run(&start, start_folder.as_deref())).await??;
        // From here on, dropping it stops the workload.
        let workload = Workload { stop, folder, latencies };
        let _ = shutdown.run_until_cancelled(tokio::time::sleep(settle)).await;
        workload.check_latencies()?;
        Ok(workload)
    }

    /// The components that run now; `None` without a state file.
    ///
    /// # Errors
    /// If the state file cannot be read.
    pub fn components(&self) -> anyhow::Result<Option<faults::workload::Workload>> {
        match &self.folder {
            Some(folder) => faults::workload::Workload::find_in(folder),
            None => faults::workload::Workload::find(),
        }
    }

    /// Fails early: without this check a missing file would show only after the whole experiment.
    fn check_latencies(&self) -> anyhow::Result<()> {
        let Some(file) = self.latencies.as_deref().filter(|file| !file.is_file()) else { return Ok(()) };
        Err(anyhow::anyhow!("the workload writes no latencies to `{}`", file.display())).hint(
            "`workload.latencies` of the plan must be the file that its clients write; DETECTIVE_WORKLOAD moves the shop's",
        )
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        if let Err(error) = run(&self.stop, self.folder.as_deref()) {
            tracing::error!(error = format!("{error:#}"), "cannot stop the workload");
        }
    }
}

/// Replaces `{uid}` in a path with the id of this user.
fn with_uid(path: PathBuf) -> PathBuf {
    let uid = geteuid().as_raw().to_string();
    PathBuf::from(path.to_string_lossy().replace("{uid}", &uid))
}

fn run(command: &[String], folder: Option<&Path>) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("a command of the plan is empty")?;
    let line = command.join(" ");
    let cannot = || format!("cannot run `{line}`");
    let mut process = Command::new(program)
        .args(arguments)
        .envs(folder.map(|folder| (FOLDER_VARIABLE, folder)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(cannot)?;
    let stderr = process.stderr.take().with_context(cannot)?;
    let (sender, message) = channel();
    // On a thread, because daemons that the command starts may keep the pipe open.
    std::thread::spawn(move || drain(stderr, &sender));
    let status = process.wait().with_context(cannot)?;
    if !status.success() {
        let message = message.recv_timeout(STDERR_TIMEOUT).unwrap_or_default();
        bail!("`{line}` ended with {status}: {}", message.trim_end());
    }
    Ok(())
}

/// Sends the first bytes of a pipe, and then reads it to its end, so that no process gets SIGPIPE.
fn drain(mut pipe: impl Read, sender: &Sender<String>) {
    let mut first = Vec::new();
    let _ = pipe.by_ref().take(MAX_STDERR_BYTES).read_to_end(&mut first);
    let _ = sender.send(String::from_utf8_lossy(&first).into_owned());
    let _ = copy(&mut pipe, &mut sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(script: &str) -> anyhow::Result<()> {
        run(&["sh", "-c", script].map(str::to_owned), None)
    }

    #[test]
    fn a_command_does_not_wait_for_its_background_processes() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        rustix::fs::mkfifoat(rustix::fs::CWD, &gate, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        // The background process keeps the pipe open until the gate opens, after the command.
        run_shell(&format!("{{ read line; }} <>'{}' & exit 0", gate.display())).unwrap();
        std::fs::write(&gate, "go\n").unwrap();
    }

    #[test]
    fn a_failed_command_is_reported_with_its_standard_error() {
        let error = format!("{:#}", run_shell("echo no database >&2; exit 3").unwrap_err());
        assert!(error.contains("exit status: 3") && error.ends_with("no database"), "{error}");
    }
}
