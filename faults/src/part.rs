//! Who plays in a fault, each a process of its own: this program again, by a hidden command and under another name.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// What a part says when it does what it is there for.
pub const BEGUN: &str = "begun";

/// What a service takes more and more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leak {
    /// Descriptors.
    Files,
    /// Threads.
    Threads,
    /// Memory.
    Memory,
}

/// A part, with what it has to know. Each goes on until its process is ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Computes a little, often.
    Worker,
    /// Computes without end.
    Indexer,
    /// Appends lines to a file, each under its lock.
    LogWriter(PathBuf),
    /// Keeps the lock of a file.
    LogRotator(PathBuf),
    /// Takes the lock of a file, leaves it to a process that it starts, and ends.
    Deployer(PathBuf),
    /// Has a lock as its standard error, and does not know.
    AppServer,
    /// Writes to a file under its POSIX lock, often.
    Biller(PathBuf),
    /// Keeps the POSIX lock of a file.
    Reconciler(PathBuf),
    /// Writes a little to a file and has it on the disk, often.
    Journal(PathBuf),
    /// Writes much to a file and has it on the disk, without end.
    Backup(PathBuf),
    /// Fills the filesystem of a file.
    Thumbnailer(PathBuf),
    /// Takes all memory of the control group with this folder.
    Importer(PathBuf),
    /// Connects to an address, without end.
    Crawler(String),
    /// Starts commands as fast as it may.
    CronRunner,
    /// Takes more of something each second, and gives nothing back.
    SessionServer(Leak),
    /// A program, in place of this one.
    Program(Vec<String>),
}

impl Part {
    /// Its process's name, as others see it.
    pub fn name(&self) -> &str {
        match self {
            Part::Worker => "worker",
            Part::Indexer => "indexer",
            Part::LogWriter(_) => "log-writer",
            Part::LogRotator(_) => "log-rotator",
            Part::Deployer(_) => "deploy",
            Part::AppServer => "app-server",
            Part::Biller(_) => "biller",
            Part::Reconciler(_) => "reconciler",
            Part::Journal(_) => "journal",
            Part::Backup(_) => "backup",
            Part::Thumbnailer(_) => "thumbnailer",
            Part::Importer(_) => "importer",
            Part::Crawler(_) => "crawler",
            Part::CronRunner => "cron-runner",
            Part::SessionServer(_) => "session-server",
            Part::Program(words) => words.first().map_or("", String::as_str),
        }
    }
}

/// Tells the process that started this one.
///
/// # Errors
/// If that is gone.
pub fn tell(word: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}").and_then(|()| out.flush()).context("nobody hears this part of a fault")
}

/// Opens the file that a part plays with. It is not made, for it may have been removed already; and a link is not followed, for whoever owns
/// the folder may have put it there.
///
/// # Errors
/// If it cannot be opened, or is a link.
pub fn open(options: &mut OpenOptions, path: &Path) -> anyhow::Result<File> {
    let opened = options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path);
    opened.with_context(|| format!("cannot open `{}`", path.display()))
}

/// Does nothing for a while.
pub fn pause(time: Duration) {
    let begun = std::time::Instant::now();
    while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Does nothing any more.
pub fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_what_is_anothers_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, link) = (folder.path().join("theirs"), folder.path().join("link"));
        std::fs::write(&theirs, "precious").unwrap();
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        let open = |path: &Path| open(File::options().append(true), path);
        assert_eq!(open(&link).unwrap_err().to_string(), format!("cannot open `{}`", link.display()));
        assert!(open(&theirs).is_ok());
    }
}
