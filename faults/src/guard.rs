//! The guard: a process that undoes a fault when the injecting process exits for any reason.
//!
//! The guard reads each undo step from a socket before the change is made. Helpers, and tools that
//! make a change, hold a pipe to the guard. It ends when the last of them is gone, and only then
//! does the guard execute the steps: so no process can repeat a change that was undone. No helper
//! has the socket, so none can add a step. The guard ignores Ctrl-C and the end of the login
//! session, and the producer does not report it, because it is no part of the fault.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, PipeWriter, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use service::Hint;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    helper::pause,
    process_identity::ProcessIdentity,
    undo::{UndoStep, apply_all},
    workload::Workload,
};

/// The line that the guard prints when it is ready. Any other line is an error.
const READY: &str = "ready";

/// A line that the guard reads.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// A change is about to be made; this step undoes it.
    Add(UndoStep),
    /// The change of the last step was not made, so the step must not be executed.
    RemoveLast,
    /// Kill the injecting process if the fault is not over after this many seconds.
    Deadline(ProcessIdentity, u64),
}

/// Longer than helpers take to exit, and tools to finish. A process that has no right to the pipe
/// could keep it open.
const HOLDERS_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the guard until the socket on standard output and the pipe on standard input end. Must be
/// called within a tokio runtime.
///
/// # Errors
/// If a change cannot be undone.
pub fn run() -> anyhow::Result<()> {
    ignore_signals([SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()])?;
    // The name of the program that started it, for people who list processes.
    std::fs::write("/proc/self/comm", "detective").context("cannot set the process name of the guard")?;
    let mut out = io::stdout();
    let locks = match lock() {
        Ok(locks) => locks,
        Err(error) => return Ok(writeln!(out, "{error:#}")?),
    };
    // If no process reads this, the socket has ended too.
    let _ = writeln!(out, "{READY}");
    let messages = UnixStream::from(out.as_fd().try_clone_to_owned().context("cannot read undo steps")?);
    let mut steps = Vec::new();
    for line in BufReader::new(messages).lines() {
        // The change that belongs to an incomplete line was never made.
        match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
            Some(Message::Add(step)) => steps.push(step),
            Some(Message::RemoveLast) => drop(steps.pop()),
            Some(Message::Deadline(process, seconds)) => kill_after(process, Duration::from_secs(seconds)),
            None => break,
        }
    }
    wait_for_holders();
    let undone = apply_all(&steps);
    drop(locks);
    undone
}

/// Waits until the last process that holds the pipe is gone. What it wrote is ignored.
fn wait_for_holders() {
    let (sender, ended) = channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // Fails if the time is over.
        let _ = sender.send(());
    });
    if ended.recv_timeout(HOLDERS_TIMEOUT).is_err() {
        tracing::warn!("a fault helper or tool does not exit; undoing the fault now");
    }
}

/// Keeps signals from ending this process. At the end of a login session all its processes get one,
/// and the socket ends soon after.
fn ignore_signals(signals: impl IntoIterator<Item = SignalKind>) -> anyhow::Result<()> {
    // A tokio handler stays installed after its stream is dropped.
    let installed = signals.into_iter().try_for_each(|kind| signal(kind).map(drop));
    installed.context("cannot handle the signals that would end the guard")
}

/// Kills the injecting process after a while. Its helpers die with it, and so socket and pipe end.
fn kill_after(process: ProcessIdentity, time: Duration) {
    std::thread::spawn(move || {
        pause(time);
        let _ = process.signal(Signal::KILL);
    });
}

/// Ensures that this is the only fault, among all users, with the same temporary folder or
/// workload.
fn lock() -> anyhow::Result<Vec<UnixListener>> {
    let mut locks = vec![lock_folder("folder", &std::env::temp_dir())?];
    if let Some(workload) = Workload::find()? {
        locks.push(lock_folder("workload", &workload.folder)?);
    }
    Ok(locks)
}

/// Takes a lock that belongs to a folder. The kernel releases it when the process exits.
fn lock_folder(what: &str, folder: &Path) -> anyhow::Result<UnixListener> {
    let metadata = folder.metadata().with_context(|| format!("cannot access the folder `{}`", folder.display()))?;
    // An abstract socket has no file that could be left behind.
    let name = format!("detective-fault-{what}-{}-{}", metadata.dev(), metadata.ino());
    let listener = SocketAddr::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name));
    listener.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!("another fault is running, or is being undone"),
        _ => anyhow::Error::new(error).context("cannot check whether another fault is running"),
    })
}

/// A handle of the guard process.
pub struct Guard {
    process: Child,
    /// Where messages go, and the pipe that helpers hold. `None`: the fault is being undone.
    channel: Option<(UnixStream, PipeWriter)>,
    steps: Vec<UndoStep>,
}

impl Guard {
    /// Starts the guard of a fault that must end within `time`. Also returns its output, which ends
    /// when the guard exits.
    ///
    /// # Errors
    /// If it cannot be started, or another fault is running.
    pub fn start(time: Duration) -> anyhow::Result<(Guard, BufReader<UnixStream>)> {
        let (reader, pipe) = io::pipe().context("cannot create a pipe")?;
        let (socket, guard_socket) = UnixStream::pair().context("cannot create a socket")?;
        // This path refers to the running program even if its file was replaced meanwhile. A
        // process group of its own keeps Ctrl-C away.
        let mut command = Command::new("/proc/self/exe");
        let command = command.arg("guard").process_group(0).stdin(reader).stdout(OwnedFd::from(guard_socket));
        let process = command.spawn().context("cannot start the guard of the fault")?;
        let mut line = String::new();
        let mut output = BufReader::new(socket.try_clone().context("cannot duplicate the guard's socket")?);
        let mut guard = Guard { process, channel: Some((socket, pipe)), steps: Vec::new() };
        output.read_line(&mut line).context("cannot read from the guard of the fault")?;
        match line.trim_end() {
            READY => {
                guard.send(&Message::Deadline(ProcessIdentity::read(std::process::id())?, time.as_secs()))?;
                Ok((guard, output))
            }
            "" => Err(anyhow::anyhow!("the guard of the fault exited before it was ready")),
            error => Err(anyhow::anyhow!("{error}"))
                .hint("run one fault at a time: wait, or end the other one with Ctrl-C where it was started"),
        }
    }

    /// Adds an undo step. Make the change only after this returns.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn add(&mut self, step: UndoStep) -> anyhow::Result<()> {
        self.send(&Message::Add(step.clone()))?;
        self.steps.push(step);
        Ok(())
    }

    /// Removes the last step, because its change was not made.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn remove_last(&mut self) -> anyhow::Result<()> {
        self.steps.pop();
        self.send(&Message::RemoveLast)
    }

    fn send(&mut self, message: &Message) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let (socket, _) = self.channel.as_mut().context("the fault is being undone")?;
        socket.write_all(&line).context("the guard of the fault is gone")
    }

    /// A copy of the pipe's writing end. The guard executes no step while any process has one.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn hold_pipe(&self) -> anyhow::Result<Stdio> {
        let (_, pipe) = self.channel.as_ref().context("the fault is being undone")?;
        Ok(pipe.try_clone().context("cannot duplicate the guard's pipe")?.into())
    }

    /// Process id of the guard.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the guard has executed all steps. If it was killed, this process executes them.
    ///
    /// # Errors
    /// If a change cannot be undone.
    pub fn undo(&mut self) -> anyhow::Result<()> {
        let Some((socket, _)) = self.channel.take() else { return Ok(()) };
        // Closing the descriptor is not enough: the thread that reads from the guard has a copy.
        let _ = socket.shutdown(Shutdown::Write);
        let undone = self.process.wait().is_ok_and(|status| status.success());
        if undone { Ok(()) } else { apply_all(&self.steps) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::error!(error = format!("{error:#}"), "fault not undone");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[tokio::test]
    async fn an_ignored_signal_does_not_end_the_process() {
        ignore_signals([SignalKind::user_defined1()]).unwrap();
        // Otherwise this would end the test.
        ProcessIdentity::read(std::process::id()).unwrap().signal(Signal::USR1).unwrap();
    }

    #[test]
    fn a_folder_and_a_workload_have_one_fault_each() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_folder("workload", folder.path()).unwrap();
        let error = lock_folder("workload", folder.path()).unwrap_err().to_string();
        assert_eq!(error, "another fault is running, or is being undone");
        lock_folder("folder", folder.path()).unwrap();
        drop(lock);
        lock_folder("workload", folder.path()).unwrap();
    }

    #[test]
    fn a_stopped_process_is_killed_at_the_deadline() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = ProcessIdentity::read(child.id()).unwrap();
        process.signal(Signal::STOP).unwrap();
        kill_after(process, Duration::from_millis(50));
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    }
}
