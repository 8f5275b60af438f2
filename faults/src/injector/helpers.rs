//! Starts helpers and exchanges lines with them.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
    sync::mpsc::SyncSender,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{Event, Injector};
use crate::{
    helper::Helper,
    process_identity::{self, ProcessIdentity},
    user::User,
};

/// Longer than a helper takes to start, however busy the host is.
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Injector {
    /// Starts a helper as the workload's user, waits until it is ready, and returns its pid.
    ///
    /// # Errors
    /// If it cannot be started, or exits.
    pub fn start(&mut self, helper: &Helper) -> anyhow::Result<u32> {
        self.start_as(self.user, helper)
    }

    /// Like [`Injector::start`], as another user, for a helper without files of the workload.
    ///
    /// # Errors
    /// If it cannot be started, or exits.
    pub fn start_as(&mut self, user: User, helper: &Helper) -> anyhow::Result<u32> {
        let pid = self.spawn(user, helper, self.guard.hold_pipe()?)?;
        self.read_line(pid)?;
        Ok(pid)
    }

    /// Starts a helper as the workload's user that reads commands from standard input.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with_pipe(&mut self, helper: &Helper) -> anyhow::Result<u32> {
        self.spawn(self.user, helper, Stdio::piped())
    }

    fn spawn(&mut self, user: User, helper: &Helper, stdin: Stdio) -> anyhow::Result<u32> {
        // This path refers to the running program even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        let parent = std::process::id().to_string();
        command.args(["fault", "helper", "--parent", &parent]).arg(serde_json::to_string(helper)?);
        user.apply_to(&mut command);
        if user != User::Current {
            // Standard error may be a terminal, whose input another user must not read.
            command.stderr(Stdio::piped());
        }
        let process = command.stdin(stdin).stdout(Stdio::piped()).spawn();
        let mut process = process.with_context(|| format!("cannot start the fault helper `{}`", helper.name()))?;
        let output = process.stdout.take().context("a fault helper has no standard output")?;
        let pid = process.id();
        if let Some(errors) = process.stderr.take() {
            log_lines(pid, BufReader::new(errors));
        }
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
        bail!("the fault helper {name:?} (pid {pid}) was not ready within {} s", START_TIMEOUT.as_secs())
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
        let orphan = line.parse().with_context(|| format!("expected the pid of the orphan, found {line:?}"))?;
        let process = ProcessIdentity::read(orphan)?;
        anyhow::ensure!(process.runs_as(self.user), "process {orphan} is not the orphan of a fault helper");
        self.orphans.push(process);
        Ok(orphan)
    }
}

/// Turns the lines that a process prints, and the end of its output, into events.
pub(super) fn forward_lines(pid: u32, mut output: impl BufRead + Send + 'static, sender: SyncSender<Event>) {
    std::thread::spawn(move || {
        while let Ok(Some(line)) = read_short_line(&mut output) {
            // Close the pipe if the receiver is gone, so that the process notices.
            if sender.send(Event::Line(pid, line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Exited(pid));
    });
}

/// Logs the errors that a helper prints. Control characters are escaped.
fn log_lines(pid: u32, mut errors: impl BufRead + Send + 'static) {
    std::thread::spawn(move || {
        while let Ok(Some(line)) = read_short_line(&mut errors) {
            tracing::warn!(pid, ?line, "fault helper reports an error");
        }
    });
}

/// Reads a line, or the first part of a line that is too long; `None` at the end.
fn read_short_line(output: &mut impl BufRead) -> io::Result<Option<String>> {
    const MAX_BYTES: u64 = 4096;
    let mut line = Vec::new();
    let n_bytes = output.take(MAX_BYTES).read_until(b'\n', &mut line)?;
    let text = String::from_utf8_lossy(&line);
    Ok((n_bytes > 0).then(|| text.trim_end_matches('\n').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_is_read_in_parts() {
        let mut output = [b"ready\n".as_slice(), &[b'x'; 5000]].concat();
        output.push(b'\n');
        let mut output = output.as_slice();
        let lines = std::iter::from_fn(|| read_short_line(&mut output).unwrap());
        assert_eq!(lines.map(|line| line.len()).collect::<Vec<_>>(), [5, 4096, 904]);
    }
}
