//! What a fault starts and changes: helpers, bugs of the workload, stopped processes, files,
//! control groups and firewall rules. The guard receives the undo step of each change before it is
//! made.
//!
//! Dropping an [`Injector`] undoes everything: bugs first, then helpers, then the guard's steps.

use std::{
    fmt,
    path::PathBuf,
    process::Child,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::Signal;
use schemas::Timestamp;
use service::Hint;

use super::{
    guard::Guard,
    process_identity::{self, ProcessIdentity},
    user::User,
    workload::{ActiveBug, Workload},
};

mod bugs;
mod changes;
mod helpers;

use helpers::forward_lines;

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
    /// The user that runs the workload; the current one if the fault does not use the workload's
    /// files. Helpers run as that user, and files are created with its permissions.
    user: User,
    after: Duration,
    duration: Duration,
    path: Option<PathBuf>,
    folder: Option<PathBuf>,
    bugs: Vec<ActiveBug>,
    helpers: Vec<Child>,
    orphans: Vec<ProcessIdentity>,
    repeated: Option<Repeated>,
    begun: Option<Timestamp>,
    sender: SyncSender<Event>,
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
        /// A helper that prints faster than its lines are read waits.
        const QUEUE_LENGTH: usize = 64;
        let (sender, events) = sync_channel(QUEUE_LENGTH);
        let user = workload.as_ref().filter(|_| path.is_none()).map_or(User::Current, |workload| workload.user);
        let (guard, guard_output) = Guard::start(after + duration + GUARD_MARGIN)?;
        forward_lines(guard.pid(), guard_output, sender.clone());
        Ok(Injector {
            workload,
            user,
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
    pub fn sender(&self) -> SyncSender<Event> {
        self.sender.clone()
    }

    /// The workload as it is now. Components may have restarted since the injector was created.
    ///
    /// # Errors
    /// If none runs, or another user has started it since.
    pub fn current_workload(&self) -> anyhow::Result<Workload> {
        let workload = Workload::find()?.context("the workload has stopped")?;
        anyhow::ensure!(workload.user == self.user, "another user has started the workload again");
        Ok(workload)
    }

    /// Whether the fault uses a file of the workload: one runs, and `--path` names no other file.
    pub fn uses_workload_file(&self) -> bool {
        self.workload.is_some() && self.path.is_none()
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
                bail!("{EARLY}: its helper {name:?} (pid {pid}) exited with {status}")
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
