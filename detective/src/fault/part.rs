//! Who plays in a fault, each a process of its own: this program again, by a hidden command and under another name.

use std::{ffi::OsString, io::Write, path::PathBuf, process::exit, time::Duration};

use anyhow::Context;
use clap::Subcommand;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::{flock, keeper};

/// What a culprit says when the fault has begun.
pub const BEGUN: &str = "begun";

/// A part, with what it has to know.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// Makes a file and removes it.
    Keeper {
        /// Which; none: one in a new temporary folder.
        file: Option<PathBuf>,
    },
    /// Appends lines, each under the file's lock.
    LogWriter {
        /// Where to.
        file: PathBuf,
    },
    /// Takes the lock and keeps it for a while.
    LogRotator {
        /// Whose lock.
        file: PathBuf,
        /// When, in milliseconds from its start.
        after: u64,
        /// For how long, in milliseconds.
        hold: u64,
    },
}

impl Part {
    /// Its process's name, as others see it.
    pub fn name(&self) -> &'static str {
        match self {
            // Local Detective's own, and so never a suspect.
            Part::Keeper { .. } => "detective",
            Part::LogWriter { .. } => "log-writer",
            Part::LogRotator { .. } => "log-rotator",
        }
    }

    /// The arguments that give a process this part.
    pub fn arguments(&self) -> Vec<OsString> {
        let (part, arguments): (&str, Vec<OsString>) = match self {
            Part::Keeper { file } => ("keeper", file.iter().map(OsString::from).collect()),
            Part::LogWriter { file } => ("log-writer", vec![file.into()]),
            Part::LogRotator { file, after, hold } => {
                ("log-rotator", vec![file.into(), after.to_string().into(), hold.to_string().into()])
            }
        };
        // What follows is never a flag, whatever a path begins with.
        [part.into(), "--".into()].into_iter().chain(arguments).collect()
    }
}

/// Plays a part to its end.
///
/// # Errors
/// What stopped it.
pub fn play(part: &Part, parent: i32) -> anyhow::Result<()> {
    std::fs::write("/proc/self/comm", part.name()).context("cannot take the name of a part")?;
    if !matches!(part, Part::Keeper { .. }) {
        die_with(parent)?;
    }
    match part {
        Part::Keeper { file } => keeper::run(file.as_deref()),
        Part::LogWriter { file } => flock::write_lines(file),
        Part::LogRotator { file, after, hold } => {
            flock::rotate(file, Duration::from_millis(*after), Duration::from_millis(*hold))
        }
    }
}

/// Has the kernel kill this process when the one that started it is gone, however that comes.
fn die_with(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot ask to end with the parent process")?;
    // It may have ended before the kernel was asked; another is the parent then.
    if getppid().map_or(0, Pid::as_raw_pid) != parent {
        exit(1);
    }
    Ok(())
}

/// Tells the process that started this one.
///
/// # Errors
/// If that is gone.
pub fn tell(word: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}").and_then(|()| out.flush()).context("nobody hears this part of a fault")
}

/// Does nothing for a while.
pub fn pause(time: Duration) {
    let begun = std::time::Instant::now();
    while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
