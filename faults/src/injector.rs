//! What a fault starts and changes: helpers, bugs of the workload, stopped processes, files,
//! control groups and firewall rules. The guard receives the undo step of each change before it is
//! made.
//!
//! Dropping an [`Injector`] undoes everything: bugs first, then helpers, then the guard's steps.

use std::{
    fmt,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::Signal;
use schemas::Timestamp;
use service::Hint;

use super::{
    guard::Guard,
    helper::Helper,
    process_identity::{self, ProcessIdentity},
    workload::{ActiveBug, Workload},
};

mod bugs;
mod changes;

/// Longer than a helper takes to start, however busy the host is.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// The guard kills an injecting process that still runs this long after the fault should have
/// ended.
const GUARD_MARGIN: Duration = Duration::from_secs(60);

/// Something that happens during an injection.
#[derive(Debug)]
pub enum Event {
    /// The process with this pid printed a line.
    Line(u32, String),
    /// The process with this pid has exited, or is about to.
    Exited(u32),
    /// The component with this name has ended a bug, or is gone.
    BugEnded(String),
    /// The user or a signal wants the fault to end.
    Interrupted,
}

/// The error of an injection that was interrupted, which is no failure.
#[derive(Debug)]
pub struct Interrupted;

impl std::error::Error for Interrupted {}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

const EARLY: &str = "the fault ended early";

type Repeated = Box<dyn FnMut(&mut Injector) -> anyhow::Result<()>>;

/// Starts and changes things for one fault, and undoes it all.
pub struct Injector {
    /// The workload, if one was running at the start.
    pub workload: Option<Workload>,
    after: Duration,
    duration: Duration,
    path: Option<PathBuf>,
    folder: Option<PathBuf>,
    bugs: Vec<ActiveBug>,
    helpers: Vec<Child>,
    orphans: Vec<ProcessIdentity>,
    repeated: Option<Repeated>,
    begun: Option<Timestamp>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    guard: Guard,
}

impl Injector {
    /// Starts the guard, and changes nothing yet.
    ///
    /// Call this and all methods that start a process on a thread that lasts as long as the
    /// program: helpers die with the thread that starts them.
    ///
    /// # Errors
    /// If the guard cannot be started, or another fault is running.
    pub fn new(
        after: Duration,
        duration: Duration,
        path: Option<PathBuf>,
        workload: Option<Workload>,
    ) -> anyhow::Result<Injector> {
        let (sender, events) = channel();
        let (guard, guard_output) = Guard::start(after + duration + GUARD_MARGIN)?;
        forward_lines(guard.pid(), guard_output, sender.clone());
        Ok(Injector {
            workload,
            after,
            duration,
            path,
            folder: None,
            bugs: Vec::new(),
            helpers: Vec::new(),
            orphans: Vec::new(),
            repeated: None,
            begun: None,
            sender,
            events,
            guard,
        })
    }

    /// The channel for events from other threads.
    pub fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// The workload as it is now. Components may have restarted since the injector was created.
    ///
    /// # Errors
    /// If none runs.
    pub fn current_workload(&self) -> anyhow::Result<Workload> {
        Workload::find()?.context("the workload has stopped")
    }

    /// Whether the fault uses a file of the workload: one runs, and `--path` names no other file.
    pub fn uses_workload_file(&self) -> bool {
        self.workload.is_some() && self.path.is_none()
    }

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
        let deadline = Instant::now() + HELPER_TIMEOUT;
        while let Some((sender, line)) = self.next_line(deadline)? {
            if sender == pid {
                return Ok(line);
            }
        }
        let name = process_identity::process_name(pid);
        bail!("the fault helper `{name}` (pid {pid}) was not ready within {} s", HELPER_TIMEOUT.as_secs())
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

    /// Repeats an action every second while the fault lasts.
    pub fn repeat_each_second(&mut self, action: impl FnMut(&mut Injector) -> anyhow::Result<()> + 'static) {
        self.repeated = Some(Box::new(action));
    }

    /// Waits for the time before the fault.
    ///
    /// # Errors
    /// If a process of the fault exits, or the injection is interrupted.
    pub fn wait_before_fault(&mut self) -> anyhow::Result<()> {
        self.wait(self.after)?;
        self.begun = Some(Timestamp::now());
        Ok(())
    }

    /// When the fault began: the last moment without any of its effects. A leak is noticeable
    /// before the fault is complete.
    pub fn begun(&self) -> Timestamp {
        self.begun.unwrap_or_else(Timestamp::now)
    }

    /// Waits for the duration of the fault.
    ///
    /// # Errors
    /// If a process of the fault exits, or the injection is interrupted.
    pub fn hold(&mut self) -> anyhow::Result<()> {
        const INTERVAL: Duration = Duration::from_secs(1);
        let started = Instant::now();
        while let Some(left) = self.duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            self.wait(left.min(INTERVAL))?;
            if let Some(mut action) = self.repeated.take() {
                action(self)?;
                self.repeated = Some(action);
            }
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + time;
        while self.next_line(deadline)?.is_some() {}
        Ok(())
    }

    /// The next line that a process prints, with its pid; `None` if there is none before the
    /// deadline.
    fn next_line(&mut self, deadline: Instant) -> anyhow::Result<Option<(u32, String)>> {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Line(pid, line)) => Ok(Some((pid, line))),
            Ok(Event::Exited(pid)) => self.fail_for_exit(pid),
            Ok(Event::BugEnded(component)) => {
                Err(anyhow::anyhow!("{EARLY}: the component `{component}` ended its bug"))
                    .hint("it may have restarted: see `log/supervisor.log` of the workload")
            }
            Ok(Event::Interrupted) => bail!(Interrupted),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    /// Ends the fault and undoes all changes.
    ///
    /// # Errors
    /// If a change cannot be undone.
    pub fn undo(mut self) -> anyhow::Result<()> {
        self.end_processes();
        self.guard.undo()
    }

    fn end_processes(&mut self) {
        self.bugs.clear();
        for helper in &mut self.helpers {
            let _ = helper.kill();
            let _ = helper.wait();
        }
        for orphan in &self.orphans {
            let _ = orphan.signal(Signal::KILL);
        }
    }

    fn fail_for_exit<T>(&mut self, pid: u32) -> anyhow::Result<T> {
        let name = process_identity::process_name(pid);
        match self.helpers.iter_mut().find(|helper| helper.id() == pid) {
            Some(helper) => {
                let status = helper.wait().with_context(|| format!("cannot wait for process {pid}"))?;
                bail!("{EARLY}: its helper `{name}` (pid {pid}) exited with {status}")
            }
            None => bail!("{EARLY}: its guard (pid {pid}) exited"),
        }
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        self.end_processes();
    }
}

/// Turns the lines that a process prints, and the end of its output, into events.
fn forward_lines(pid: u32, output: BufReader<ChildStdout>, sender: Sender<Event>) {
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
