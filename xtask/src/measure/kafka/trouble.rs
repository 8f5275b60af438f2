//! A file whose lock is free most of the time, and then kept from those who want it.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;

use crate::measure::tied::Tied;

const WRITERS: usize = 3;
/// Between two lines of a writer.
const PAUSE: Duration = Duration::from_millis(20);

/// Processes that append to a file, each line under its lock. This process takes that lock from them.
pub struct Writers {
    lock: File,
    path: PathBuf,
    _processes: Vec<Tied>,
}

impl Writers {
    /// Starts them.
    ///
    /// # Errors
    /// If they cannot be started, or the file not be made.
    pub fn start(path: &Path) -> anyhow::Result<Writers> {
        let lock = File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let this = std::env::current_exe().context("cannot find this program")?;
        let one = |_| Tied::start("xtask measure writer", Tied::command(&this).args(["measure", "writer"]).arg(path));
        Ok(Writers { lock, path: path.to_owned(), _processes: (0..WRITERS).map(one).collect::<Result<_, _>>()? })
    }

    /// Keeps the lock from them.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn block(&self) -> anyhow::Result<()> {
        self.lock.lock().with_context(|| format!("cannot lock `{}`", self.path.display()))
    }

    /// Lets them have it.
    ///
    /// # Errors
    /// If it cannot be given back.
    pub fn unblock(&self) -> anyhow::Result<()> {
        self.lock.unlock().with_context(|| format!("cannot unlock `{}`", self.path.display()))
    }
}

/// Appends lines until the end of this process.
///
/// # Errors
/// If the file cannot be locked or written to.
pub fn write_lines(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot append to `{}`", path.display());
    let mut file = File::options().append(true).open(path).with_context(cannot)?;
    loop {
        file.lock().with_context(cannot)?;
        writeln!(file, "a line of {}", std::process::id()).with_context(cannot)?;
        file.unlock().with_context(cannot)?;
        std::thread::park_timeout(PAUSE);
    }
}
