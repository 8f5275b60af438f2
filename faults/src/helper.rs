//! Fault helpers: the processes that take part in a fault. Each is this program, started again with
//! a hidden command and under another process name.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// The line that a helper prints when it has started its work.
pub const READY: &str = "ready";

/// What a helper leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leak {
    /// File descriptors.
    Files,
    /// Threads.
    Threads,
    /// Memory.
    Memory,
}

/// A fault helper with its parameters. Each runs until its process is killed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Helper {
    /// Computes a little, frequently.
    Worker,
    /// Computes continuously.
    Indexer,
    /// Appends lines to a file, each under `flock`.
    LogWriter(PathBuf),
    /// Imitates a log rotator that hangs: holds the `flock` of this file until it is killed.
    LogRotator(PathBuf),
    /// Holds the `flock` of a file for which a rotator waits.
    Archiver(PathBuf),
    /// Holds the `flock` of a log while it waits for that of an archive.
    WaitingRotator {
        /// The log.
        log: PathBuf,
        /// The archive.
        archive: PathBuf,
    },
    /// Takes the `flock` of a file, passes it to a child process, and exits.
    Deployer(PathBuf),
    /// Has a locked file as its standard error, unknowingly.
    AppServer,
    /// Writes to a file under its POSIX lock, frequently.
    Biller(PathBuf),
    /// Holds the POSIX lock of a file.
    Reconciler(PathBuf),
    /// Writes a little to a file and syncs it, frequently.
    Journal(PathBuf),
    /// Writes a lot to a file and syncs it, continuously.
    Backup(PathBuf),
    /// Fills the filesystem of a file.
    Thumbnailer(PathBuf),
    /// Uses all memory of the control group with this folder.
    Importer(PathBuf),
    /// Opens connections to an address and holds them.
    Crawler(SocketAddr),
    /// Starts commands as fast as possible.
    CronRunner,
    /// Leaks a resource.
    SessionServer(Leak),
    /// Replaces itself with a program.
    Program(Vec<String>),
}

impl Helper {
    /// The name of its process.
    pub fn name(&self) -> &str {
        match self {
            Helper::Worker => "worker",
            Helper::Indexer => "indexer",
            Helper::LogWriter(_) => "log-writer",
            Helper::LogRotator(_) | Helper::WaitingRotator { .. } => "log-rotator",
            Helper::Archiver(_) => "archiver",
            Helper::Deployer(_) => "deploy",
            Helper::AppServer => "app-server",
            Helper::Biller(_) => "biller",
            Helper::Reconciler(_) => "reconciler",
            Helper::Journal(_) => "journal",
            Helper::Backup(_) => "backup",
            Helper::Thumbnailer(_) => "thumbnailer",
            Helper::Importer(_) => "importer",
            Helper::Crawler(_) => "crawler",
            Helper::CronRunner => "cron-runner",
            Helper::SessionServer(_) => "session-server",
            Helper::Program(words) => words.first().map_or("", String::as_str),
        }
    }
}

/// Reports to the injecting process that this helper has started its work.
///
/// # Errors
/// If the injecting process is gone.
pub fn report_ready() -> anyhow::Result<()> {
    print_line(READY)
}

/// Prints a line for the injecting process.
///
/// # Errors
/// If the injecting process is gone.
pub fn print_line(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.context("no process reads the output of this fault helper")
}

/// Opens the file that a helper uses.
///
/// Does not create it, because an undo step may have removed it already. Does not follow a link,
/// because the owner of the folder may have created one.
///
/// # Errors
/// If the file cannot be opened, or is a link.
pub fn open(options: &mut OpenOptions, path: &Path) -> anyhow::Result<File> {
    let opened = options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path);
    opened.with_context(|| format!("cannot open `{}`", path.display()))
}

/// Blocks this thread for a while.
pub fn pause(time: Duration) {
    let started = std::time::Instant::now();
    while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Blocks this thread forever.
pub fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let open = |path: &Path| open(File::options().append(true), path);
        assert_eq!(open(&link).unwrap_err().to_string(), format!("cannot open `{}`", link.display()));
        assert!(open(&target).is_ok());
    }
}
