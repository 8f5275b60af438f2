//! A fault as a process of its own, and what it says is true.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::acts::Change;
use faults::truth::Suspect;

/// Between two looks whether it is over.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// What is true of a fault, as `fault start --json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub struct Truth {
    /// When it began, in milliseconds since 1970.
    pub time: f64,
    /// Who is to blame; each of them is right.
    pub root_cause: Vec<Suspect>,
    /// Who suffers.
    pub victims: Vec<Suspect>,
}

/// A change that goes on. It is undone when this is dropped.
pub struct Trouble {
    process: Child,
    /// What is true of it.
    pub truth: Truth,
}

impl Trouble {
    /// Starts a change that lasts for a while, and waits until it has begun.
    ///
    /// # Errors
    /// If it does not begin, with what it says of that.
    pub async fn begin(change: &Change, lasts: Duration) -> anyhow::Result<Trouble> {
        let (name, lasts) = (change.name.clone(), humantime::format_duration(lasts).to_string());
        tokio::task::spawn_blocking(move || Trouble::begin_now(&name, &lasts)).await?
    }

    fn begin_now(name: &str, lasts: &str) -> anyhow::Result<Trouble> {
        // By its own path and not through `/proc/self/exe`, so that it has this program's name.
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut process = Command::new(program)
            .args(["fault", "start", name, "--json", "--after", "0s", "--for", lasts])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let mut line = String::new();
        let said = process.stdout.take().with_context(|| format!("`{name}` has no standard output"))?;
        let read = BufReader::new(said).read_line(&mut line);
        let truth = serde_json::from_str(&line);
        if let (Ok(_), Ok(truth)) = (read, truth) {
            return Ok(Trouble { process, truth });
        }
        let complaint = complaint(process.stderr.take());
        let ended = process.wait().with_context(|| format!("cannot learn how `{name}` ended"))?;
        bail!("`{name}` did not begin and ended with {ended}: {complaint}");
    }

    /// Waits until it is over and undone.
    ///
    /// # Errors
    /// If it fails before.
    pub async fn over(&mut self) -> anyhow::Result<()> {
        let ended = loop {
            if let Some(ended) = self.process.try_wait().context("cannot learn how it ended")? {
                break ended;
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        };
        let complaint = complaint(self.process.stderr.take());
        anyhow::ensure!(ended.success(), "it ended with {ended}: {complaint}");
        Ok(())
    }
}

impl Drop for Trouble {
    /// It undoes itself when it is told to end.
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.process.try_wait(), i32::try_from(self.process.id())) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
            let _ = self.process.wait();
        }
    }
}

/// All that it says on standard error until it ends.
fn complaint(stderr: Option<ChildStderr>) -> String {
    let mut said = String::new();
    if let Some(mut stderr) = stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    said.trim_end().to_owned()
}
