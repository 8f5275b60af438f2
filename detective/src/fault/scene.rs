//! The processes and the file of a fault, all gone when it is dropped.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use anyhow::Context;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    keeper::{self, Made},
    part::Part,
};

/// What happens on the scene.
#[derive(Debug)]
pub enum Event {
    /// A part says a word.
    Said(u32, String),
    /// A part has ended, or is about to.
    Ended(u32),
}

/// The processes and the file of a fault.
pub struct Scene {
    made: Made,
    keeper: Child,
    parts: Vec<(&'static str, Child)>,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
}

impl Scene {
    /// Makes the file, or a new one in a temporary folder, and has it kept.
    ///
    /// Must be called, like [`Scene::start`], by the thread that lasts as long as the program: parts end with it.
    ///
    /// # Errors
    /// If that is not possible; then nothing was made.
    pub fn set(file: Option<&Path>) -> anyhow::Result<Scene> {
        keeper::check(file)?;
        let part = Part::Keeper { file: file.map(Path::to_owned) };
        // It must outlive an interrupt from the keyboard, which goes to a whole process group.
        let mut keeper = spawn(&part, |command| {
            std::os::unix::process::CommandExt::process_group(command, 0).stdin(Stdio::piped())
        })?;
        let mut heard = BufReader::new(keeper.stdout.take().context("the keeper has no standard output")?);
        let mut line = String::new();
        let made = heard.read_line(&mut line).context("the keeper cannot be heard");
        let made = made.and_then(|_| keeper::hear(line.trim_end()));
        if made.is_err() {
            drop(keeper.stdin.take());
            keeper.wait()?;
        }
        let (sender, events) = unbounded_channel();
        listen(keeper.id(), heard, sender.clone());
        Ok(Scene { made: made?, keeper, parts: Vec::new(), sender, events })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.made.file
    }

    /// Starts a process that plays a part, and gives its id.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&mut self, part: &Part) -> anyhow::Result<u32> {
        let mut process = spawn(part, |command| command.stdin(Stdio::null()))?;
        let pid = process.id();
        let heard = process.stdout.take();
        self.parts.push((part.name(), process));
        listen(pid, BufReader::new(heard.context("a part has no standard output")?), self.sender.clone());
        Ok(pid)
    }

    /// What happens next.
    pub async fn next(&mut self) -> Event {
        // There is an end of the channel that this holds itself.
        self.events.recv().await.unwrap_or(Event::Ended(self.keeper.id()))
    }

    /// The name of a part, and how it ended; waits for it.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn how_ended(&mut self, pid: u32) -> anyhow::Result<(&'static str, ExitStatus)> {
        let part = self.parts.iter_mut().find(|(_, process)| process.id() == pid);
        let (name, process) = part.map_or(("keeper", &mut self.keeper), |(name, process)| (*name, process));
        Ok((name, process.wait().with_context(|| format!("cannot learn how process {pid} ended"))?))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for (_, process) in &mut self.parts {
            let _ = process.kill();
            let _ = process.wait();
        }
        // The keeper removes what was made; and if it cannot, because it was killed, this process does.
        drop(self.keeper.stdin.take());
        let kept = self.keeper.wait().is_ok_and(|status| status.success());
        if !kept && let Err(error) = self.made.remove() {
            tracing::error!(error = format!("{error:#}"), "something of the fault is left");
        }
    }
}

/// Starts this program again, to play a part.
fn spawn(part: &Part, with: impl FnOnce(&mut Command) -> &mut Command) -> anyhow::Result<Child> {
    // By this name the same program is meant even if the file was replaced since.
    let mut command = Command::new("/proc/self/exe");
    command.args(["fault", "part", "--parent", &std::process::id().to_string()]).args(part.arguments());
    with(command.stdout(Stdio::piped())).spawn().with_context(|| format!("cannot start the part `{}`", part.name()))
}

/// Turns what a part says, and that it says no more, into events.
fn listen(pid: u32, heard: BufReader<ChildStdout>, sender: UnboundedSender<Event>) {
    std::thread::spawn(move || {
        for word in heard.lines().map_while(Result::ok) {
            let _ = sender.send(Event::Said(pid, word));
        }
        let _ = sender.send(Event::Ended(pid));
    });
}
