//! Starts helpers and exchanges lines with them.

use std::{
    io::{BufRead, BufReader, Write},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{Event, Injector};
use crate::{
    helper::Helper,
    process_identity::{self, ProcessIdentity},
};

/// Longer than a helper takes to start, however busy the host is.
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Injector {
    /// Starts a helper, waits until it is ready, and returns its pid.
    ///
    /// # Errors
    /// If it cannot be started, or exits.
    pub fn start(&mut self, helper: &Helper) -> anyhow::Result<u32> {
        let pid = self.start_with_stdin(helper, self.guard.hold_pipe()?)?;
        self.read_line(pid)?;
        Ok(pid)
    }

    /// Starts a helper that reads commands from standard input, or that prints nothing.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with_stdin(&mut self, helper: &Helper, stdin: Stdio) -> anyhow::Result<u32> {
        // This path refers to the running program even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        let parent = std::process::id().to_string();
        command.args(["fault", "helper", "--parent", &parent]).arg(serde_json::to_string(helper)?);
        let process = command.stdin(stdin).stdout(Stdio::piped()).spawn();
        let mut process = process.with_context(|| format!("cannot start the fault helper `{}`", helper.name()))?;
        let output = process.stdout.take().context("a fault helper has no standard output")?;
        let pid = process.id();
        self.helpers.push(process);
        forward_lines(pid, BufReader::new(output), self.sender.clone());
        Ok(pid)
    }

    /// Writes to the standard input of a helper that was started with a pipe.
    ///
    /// # Errors
    /// If it does not read.
    pub fn write_stdin(&mut self, pid: u32, text: &str) -> anyhow::Result<()> {
        let stdin = self.helpers.iter_mut().find(|helper| helper.id() == pid).and_then(|helper| helper.stdin.as_mut());
        let stdin = stdin.context("the fault helper has no pipe")?;
        stdin.write_all(text.as_bytes()).context("the fault helper does not read its standard input")
    }

    /// Waits for the next line that a helper prints.
    ///
    /// # Errors
    /// If a process of the fault exits before that, or the time is over.
    pub fn read_line(&mut self, pid: u32) -> anyhow::Result<String> {
        let deadline = Instant::now() + START_TIMEOUT;
        while let Some((sender, line)) = self.next_line(deadline)? {
            if sender == pid {
                return Ok(line);
            }
        }
        let name = process_identity::process_name(pid);
        bail!("the fault helper `{name}` (pid {pid}) was not ready within {} s", START_TIMEOUT.as_secs())
    }

    /// Starts a helper that leaves a child process behind and exits. Returns the child's pid.
    ///
    /// # Errors
    /// If either cannot be started.
    pub fn start_orphan(&mut self, helper: &Helper) -> anyhow::Result<u32> {
        let pid = self.start(helper)?;
        let parent = self.helpers.last_mut().context("no fault helper was started")?;
        parent.wait().context("cannot wait for a fault helper to exit")?;
        let line = self.read_line(pid)?;
        let orphan = line.parse().with_context(|| format!("expected the pid of the orphan, found `{line}`"))?;
        self.orphans.push(ProcessIdentity::read(orphan)?);
        Ok(orphan)
    }
}

/// Turns the lines that a process prints, and the end of its output, into events.
pub(super) fn forward_lines(pid: u32, output: BufReader<ChildStdout>, sender: Sender<Event>) {
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // Close the pipe if the receiver is gone, so that the process notices.
            if sender.send(Event::Line(pid, line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Exited(pid));
    });
}
