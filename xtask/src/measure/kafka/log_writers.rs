//! Processes that compete for the lock of one log file.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;

use crate::scoped_child::ScopedChild;

const WRITERS: usize = 3;
/// Between two lines of a writer.
const PAUSE: Duration = Duration::from_millis(20);

/// Processes that append lines to a file, each line under the file's lock. This process can hold
/// the lock, so that they wait.
pub struct LogWriters {
    lock: File,
    path: PathBuf,
    _processes: Vec<ScopedChild>,
}

impl LogWriters {
    /// Creates the file and starts the processes.
    ///
    /// # Errors
    /// If the file or a process fails.
    pub fn start(path: &Path) -> anyhow::Result<LogWriters> {
        let lock = File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let this = std::env::current_exe().context("cannot find this program")?;
        let start_one = |_| {
            let mut command = ScopedChild::command(&this);
            ScopedChild::start("xtask measure writer", command.args(["measure", "writer"]).arg(path))
        };
        let processes = (0..WRITERS).map(start_one).collect::<Result<_, _>>()?;
        Ok(LogWriters { lock, path: path.to_owned(), _processes: processes })
    }

    /// Takes the lock, so that the processes wait.
    ///
    /// # Errors
    /// If the lock fails.
    pub fn block(&self) -> anyhow::Result<()> {
        self.lock.lock().with_context(|| format!("cannot lock `{}`", self.path.display()))
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// If that fails.
    pub fn unblock(&self) -> anyhow::Result<()> {
        self.lock.unlock().with_context(|| format!("cannot unlock `{}`", self.path.display()))
    }
}

/// Appends lines, each under the file's lock. Returns only on an error.
///
/// # Errors
/// If the file cannot be opened, locked or written to.
pub fn append_forever(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot append to `{}`", path.display());
    let mut file = File::options().append(true).open(path).with_context(cannot)?;
    loop {
        file.lock().with_context(cannot)?;
        writeln!(file, "a line of {}", std::process::id()).with_context(cannot)?;
        file.unlock().with_context(cannot)?;
        std::thread::park_timeout(PAUSE);
    }
}
