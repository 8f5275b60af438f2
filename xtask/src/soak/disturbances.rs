//! What is done beside `up`, in a random order that a seed determines.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::ValueEnum;
use rand::{Rng, rngs::SmallRng};
use rustix::process::{Pid, Signal, kill_process};

use super::actor::Behavior;
use crate::scoped_child::ScopedChild;

/// Processes that do unusual things, each for a while.
pub struct Disturbances {
    folder: PathBuf,
    random: SmallRng,
    running: Vec<Disturbance>,
}

struct Disturbance {
    _process: ScopedChild,
    until: Instant,
}

#[derive(Clone, Copy)]
enum Kind {
    Behavior(Behavior),
    /// A process whose name is no text.
    OddName,
    /// A process that is stopped.
    Stopped,
}

/// Names as an attacker or an accident would choose them: not UTF-8, with a line feed, an escape
/// sequence, a change of writing direction, spaces and brackets as in `/proc/PID/stat`.
const ODD_NAMES: [&[u8]; 6] =
    [b"\xff\xfe\x80", b"a\nb", b"\x1b[2J\x1b[31m", "a\u{202e}b".as_bytes(), b") R 1 1 (", b"detective"];
/// Names of the processes that are started, except copies with odd names.
const COMMANDS: [&str; 3] = ["xtask", "sleep", "true"];
const MAX_RUNNING: usize = 12;
/// Probability that a call starts something.
const START_PROBABILITY: f64 = 0.3;

impl Disturbances {
    /// Nothing is done yet. Files are created in this folder.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn new(folder: PathBuf, random: SmallRng) -> anyhow::Result<Disturbances> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        Ok(Disturbances { folder, random, running: Vec::new() })
    }

    /// Ends what has lasted long enough, and at times starts something.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn next(&mut self) -> anyhow::Result<()> {
        self.running.retain(|disturbance| Instant::now() < disturbance.until);
        if self.running.len() >= MAX_RUNNING || !self.random.random_bool(START_PROBABILITY) {
            return Ok(());
        }
        let behaviors = Behavior::value_variants().len();
        let kind = match self.random.random_range(0..behaviors + 2) {
            index if index < behaviors => Kind::Behavior(Behavior::value_variants()[index]),
            index if index == behaviors => Kind::OddName,
            _ => Kind::Stopped,
        };
        let process = self.start(kind)?;
        let until = Instant::now() + Duration::from_secs(self.random.random_range(2..40));
        self.running.push(Disturbance { _process: process, until });
        Ok(())
    }

    /// Whether the name or path is that of a process that was started, or of a file in the folder.
    /// Copies with odd names are recognized by their path.
    pub fn includes(&self, suspect: &str) -> bool {
        COMMANDS.contains(&suspect) || suspect.contains(&*self.folder.to_string_lossy())
    }

    fn start(&mut self, kind: Kind) -> anyhow::Result<ScopedChild> {
        let mut command = match kind {
            Kind::Behavior(behavior) => self.actor(behavior)?,
            Kind::OddName => {
                let index = self.random.random_range(0..ODD_NAMES.len());
                self.oddly_named(ODD_NAMES[index])?
            }
            Kind::Stopped => {
                let mut command = ScopedChild::command("sleep");
                command.arg("infinity");
                command
            }
        };
        let process = ScopedChild::start("process", command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        if let (Kind::Stopped, Some(pid)) = (kind, i32::try_from(process.id()).ok().and_then(Pid::from_raw)) {
            let _ = kill_process(pid, Signal::STOP);
        }
        Ok(process)
    }

    /// This program in another role.
    fn actor(&self, behavior: Behavior) -> anyhow::Result<Command> {
        let mut command = ScopedChild::command(std::env::current_exe().context("cannot find this program")?);
        let behavior = behavior.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        command.args(["soak", "actor", &behavior]).arg(&self.folder);
        Ok(command)
    }

    /// A copy of `sleep` with this name, and an argument that is no text either.
    fn oddly_named(&self, name: &[u8]) -> anyhow::Result<Command> {
        let path = self.folder.join(OsStr::from_bytes(name));
        if !path.exists() {
            std::fs::copy(Path::new("/bin/sleep"), &path)
                .with_context(|| format!("cannot copy `sleep` to `{}`", path.display()))?;
        }
        let mut command = ScopedChild::command(&path);
        command.arg("1000").arg0("setpriv");
        Ok(command)
    }
}
