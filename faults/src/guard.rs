//! The process that takes a fault back when the one that started it is gone, however that came.
//!
//! Each step is told to it over a pipe before the change is made. Parts of the fault, and tools that make a change, hold that pipe too: it
//! ends when the last of them is gone, and only then are the steps taken, so that nobody makes or fills again what was
//! removed. It answers to no interrupt from the keyboard and outlasts the login session, and is not shown to the detective, for it
//! is nobody's trouble.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, PipeWriter, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixListener},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use service::Hint;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    part::pause,
    shop::Shop,
    undo::{Undo, take_all},
    who::Who,
};

/// What it says once it is ready; anything else is why it is not.
const READY: &str = "ready";

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// A change is about to be made; this takes it back.
    Step(Undo),
    /// The change of the last step was not made, and what is there is another's.
    Forget,
    /// The one who started this is killed if it is not over in so many seconds: it may stand still, and the fault goes on.
    Within(Who, u64),
}

/// Plays the guard to the end of the pipe on standard input. Must be called within a tokio runtime.
///
/// # Errors
/// If something is left.
pub fn run() -> anyhow::Result<()> {
    outlast([SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()])?;
    std::fs::write("/proc/self/comm", "detective").context("cannot take the name of the program")?;
    let mut out = io::stdout();
    let only = match only() {
        Ok(only) => only,
        Err(error) => return Ok(writeln!(out, "{error:#}")?),
    };
    // Should nobody hear it, the pipe ends at once.
    let _ = writeln!(out, "{READY}");
    let mut steps = Vec::new();
    for line in io::stdin().lock().lines() {
        // Half a line was never followed by its change.
        match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
            Some(Told::Step(step)) => steps.push(step),
            Some(Told::Forget) => drop(steps.pop()),
            Some(Told::Within(starter, seconds)) => end_within(starter, Duration::from_secs(seconds)),
            None => break,
        }
    }
    let taken = take_all(&steps);
    drop(only);
    taken
}

/// Has signals end this process no more. The end of a login session sends them to all at once, and the pipe ends soon after.
fn outlast(signals: impl IntoIterator<Item = SignalKind>) -> anyhow::Result<()> {
    // What is taken over once stays so, whether anybody waits for it or not.
    let taken_over = signals.into_iter().try_for_each(|kind| signal(kind).map(drop));
    taken_over.context("cannot take over the signals that would end the guard")
}

/// Parts end with the one who started them, and then the pipe does.
fn end_within(starter: Who, time: Duration) {
    std::thread::spawn(move || {
        pause(time);
        let _ = starter.signal(Signal::KILL);
    });
}

/// Makes this the only fault: of all that have the same temporary folder or the same shop, whoever starts them.
fn only() -> anyhow::Result<Vec<UnixListener>> {
    let mut held = vec![hold("folder", &std::env::temp_dir())?];
    if let Some(shop) = Shop::find()? {
        held.push(hold("shop", &shop.folder)?);
    }
    Ok(held)
}

/// Holds what one fault at a time may have.
fn hold(what: &str, folder: &Path) -> anyhow::Result<UnixListener> {
    let about = folder.metadata().with_context(|| format!("cannot look at the folder `{}`", folder.display()))?;
    // A name without a file: the kernel forgets it with the process.
    let name = format!("detective-fault-{what}-{}-{}", about.dev(), about.ino());
    let listener = SocketAddr::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name));
    listener.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!("another fault goes on, or is being undone"),
        _ => anyhow::Error::new(error).context("cannot tell whether another fault goes on"),
    })
}

/// The guard, as the process that started it knows it.
pub struct Guard {
    process: Child,
    pipe: Option<PipeWriter>,
    steps: Vec<Undo>,
}

impl Guard {
    /// Starts it for a fault that is over within a time, and gives what else is heard of it: its end.
    ///
    /// # Errors
    /// If that is not possible, or another fault goes on.
    pub fn start(time: Duration) -> anyhow::Result<(Guard, BufReader<ChildStdout>)> {
        let (reader, pipe) = io::pipe().context("cannot make a pipe")?;
        // By this name the same program is meant even if the file was replaced since. The group of its own keeps an interrupt
        // from the keyboard away.
        let mut command = Command::new("/proc/self/exe");
        let command = command.arg("guard").process_group(0).stdin(reader).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot start the guard of the fault")?;
        let mut line = String::new();
        let mut heard = BufReader::new(process.stdout.take().context("the guard has no standard output")?);
        heard.read_line(&mut line).context("the guard of the fault cannot be heard")?;
        let mut guard = Guard { process, pipe: Some(pipe), steps: Vec::new() };
        match line.trim_end() {
            READY => {
                guard.send(&Told::Within(Who::of(std::process::id())?, time.as_secs()))?;
                Ok((guard, heard))
            }
            "" => Err(anyhow::anyhow!("the guard of the fault ended before it was ready")),
            why => Err(anyhow::anyhow!("{why}"))
                .hint("one fault at a time: wait, or end it with Ctrl-C where it was started"),
        }
    }

    /// Tells a step. Only then may its change be made.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn tell(&mut self, step: Undo) -> anyhow::Result<()> {
        self.send(&Told::Step(step.clone()))?;
        self.steps.push(step);
        Ok(())
    }

    /// Takes the last step back: its change was not made.
    ///
    /// # Errors
    /// If the guard is gone.
    pub fn forget(&mut self) -> anyhow::Result<()> {
        self.steps.pop();
        self.send(&Told::Forget)
    }

    fn send(&mut self, told: &Told) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(told)?;
        line.push(b'\n');
        let pipe = self.pipe.as_mut().context("the fault is being undone")?;
        pipe.write_all(&line).context("the guard of the fault is gone")
    }

    /// An end of its pipe: as long as somebody has one, it waits.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn held(&self) -> anyhow::Result<Stdio> {
        let pipe = self.pipe.as_ref().context("the fault is being undone")?;
        Ok(pipe.try_clone().context("cannot hold the guard's pipe")?.into())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
    /// Has the steps taken. Should it have been killed, this process is the one that knows them, and takes them.
    ///
    /// # Errors
    /// If something is left.
    pub fn undo(&mut self) -> anyhow::Result<()> {
        if self.pipe.take().is_none() {
            return Ok(());
        }
        let undone = self.process.wait().is_ok_and(|status| status.success());
        if undone { Ok(()) } else { take_all(&self.steps) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::error!(error = format!("{error:#}"), "the fault is not undone");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[tokio::test]
    async fn a_signal_that_was_taken_over_ends_nobody() {
        outlast([SignalKind::user_defined1()]).unwrap();
        // It would end this test.
        Who::of(std::process::id()).unwrap().signal(Signal::USR1).unwrap();
    }

    #[test]
    fn a_shop_and_a_folder_have_one_fault_each() {
        let folder = tempfile::tempdir().unwrap();
        let held = hold("shop", folder.path()).unwrap();
        let another = hold("shop", folder.path()).unwrap_err().to_string();
        assert_eq!(another, "another fault goes on, or is being undone");
        hold("folder", folder.path()).unwrap();
        drop(held);
        hold("shop", folder.path()).unwrap();
    }

    #[test]
    fn who_stands_still_beyond_the_time_is_killed() {
        let mut starter = Command::new("sleep").arg("600").spawn().unwrap();
        let who = Who::of(starter.id()).unwrap();
        who.signal(Signal::STOP).unwrap();
        end_within(who, Duration::from_millis(50));
        assert_eq!(starter.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    }
}
