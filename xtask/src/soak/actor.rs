//! The processes that a run starts, each in a process of its own.

use std::{
    fs::{File, OpenOptions},
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Resource, Signal, getpid, getrlimit, kill_process, setrlimit},
};

use crate::time::pause;

/// What a process does until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behavior {
    /// Keeps 20,000 files open, each of them for writing.
    OpenFiles,
    /// Keeps 5,000 threads that sleep.
    Threads,
    /// Starts commands that end at once, in turn.
    Forks,
    /// Starts processes and never waits for them.
    Zombies,
    /// Holds the `flock` of a file.
    HoldLock,
    /// Waits for the `flock` of a file.
    WaitForLock,
    /// Computes.
    Compute,
    /// Stops itself.
    Stopped,
}

/// Arguments of such a process.
#[derive(Args)]
pub struct ActorArgs {
    behavior: Behavior,
    folder: PathBuf,
}

const OPEN_FILES: usize = 20_000;
const THREADS: usize = 5_000;
const ZOMBIES: usize = 50;
const LOCK_FILE: &str = "soak.lock";

impl ActorArgs {
    /// Runs until this process is killed.
    ///
    /// # Errors
    /// If a file cannot be opened or locked, or this process cannot stop itself.
    pub fn run(&self) -> anyhow::Result<()> {
        match self.behavior {
            Behavior::OpenFiles => {
                let _files = self.open_files()?;
                sleep_forever();
            }
            Behavior::Threads => {
                let _threads: Vec<_> = (0..THREADS).map_while(|_| start_thread().ok()).collect();
                sleep_forever();
            }
            Behavior::Forks => loop {
                let _ = Command::new("true").status();
                pause(Duration::from_millis(5));
            },
            Behavior::Zombies => {
                let _children: Vec<_> = (0..ZOMBIES).map_while(|_| Command::new("true").spawn().ok()).collect();
                sleep_forever();
            }
            Behavior::HoldLock | Behavior::WaitForLock => {
                let file = self.open(LOCK_FILE)?;
                flock(&file, FlockOperation::LockExclusive).context("cannot lock the file")?;
                sleep_forever();
            }
            Behavior::Compute => loop {
                std::hint::spin_loop();
            },
            Behavior::Stopped => loop {
                kill_process(getpid(), Signal::STOP).context("cannot stop this process")?;
            },
        }
    }

    fn open_files(&self) -> anyhow::Result<Vec<File>> {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")?;
        (0..OPEN_FILES).map(|number| self.open(&format!("open-{number}"))).collect()
    }

    fn open(&self, name: &str) -> anyhow::Result<File> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.with_context(|| format!("cannot open `{}`", path.display()))
    }
}

fn start_thread() -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().stack_size(16 << 10).spawn(|| sleep_forever())
}

fn sleep_forever() -> ! {
    loop {
        thread::park();
    }
}
