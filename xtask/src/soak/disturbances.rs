//! The disturbances of a run: processes with unusual behaviour, in an order that a seed determines.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::ValueEnum;
use rand::{Rng, rngs::SmallRng};

use super::actor::Behavior;
use crate::scoped_child::ScopedChild;

/// Processes with unusual behaviour, each for a while.
pub struct Disturbances {
    folder: PathBuf,
    random: SmallRng,
    running: Vec<Disturbance>,
}

struct Disturbance {
    _process: ScopedChild,
    until: Instant,
}

/// Names as an attacker or an accident would choose them: not UTF-8, with a line feed, an escape
/// sequence, a change of writing direction, spaces and brackets as in `/proc/PID/stat`.
const ODD_NAMES: [&[u8]; 6] =
    [b"\xff\xfe\x80", b"a\nb", b"\x1b[2J\x1b[31m", "a\u{202e}b".as_bytes(), b") R 1 1 (", b"detective"];
/// Names of the processes that are started, except copies with odd names.
const COMMANDS: [&str; 2] = ["xtask", "true"];
const MAX_RUNNING: usize = 12;
/// Probability that a call starts a process.
const START_PROBABILITY: f64 = 0.3;

impl Disturbances {
    /// No process runs yet; files are created in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn new(folder: PathBuf, random: SmallRng) -> anyhow::Result<Disturbances> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        Ok(Disturbances { folder, random, running: Vec::new() })
    }

    /// Ends disturbances whose time is over, and sometimes starts one.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn next(&mut self) -> anyhow::Result<()> {
        self.running.retain(|disturbance| Instant::now() < disturbance.until);
        if self.running.len() >= MAX_RUNNING || !self.random.random_bool(START_PROBABILITY) {
            return Ok(());
        }
        let behaviors = Behavior::value_variants();
        let mut command = match behaviors.get(self.random.random_range(0..=behaviors.len())) {
            Some(behavior) => self.actor(*behavior)?,
            None => self.oddly_named()?,
        };
        let process = ScopedChild::start("process", command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let until = Instant::now() + Duration::from_secs(self.random.random_range(2..40));
        self.running.push(Disturbance { _process: process, until });
        Ok(())
    }

    /// Whether the name or path is that of a process that was started, or of a file in the folder.
    /// Copies with odd names are recognized by their path.
    pub fn includes(&self, suspect: &str) -> bool {
        COMMANDS.contains(&suspect) || suspect.contains(&*self.folder.to_string_lossy())
    }

    /// A process with this behaviour.
    fn actor(&self, behavior: Behavior) -> anyhow::Result<Command> {
        let mut command = ScopedChild::command(std::env::current_exe().context("cannot find this program")?);
        let behavior = behavior.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        command.args(["soak", "actor", &behavior]).arg(&self.folder);
        Ok(command)
    }

    /// A process whose name is not plain text: a copy of `sleep`.
    fn oddly_named(&mut self) -> anyhow::Result<Command> {
        let name = ODD_NAMES[self.random.random_range(0..ODD_NAMES.len())];
        let path = self.folder.join(OsStr::from_bytes(name));
        if !path.exists() {
            std::fs::copy(Path::new("/bin/sleep"), &path)
                .with_context(|| format!("cannot copy `sleep` to `{}`", path.display()))?;
        }
        let mut command = ScopedChild::command(&path);
        command.arg("1000");
        Ok(command)
    }
}
