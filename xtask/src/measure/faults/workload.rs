//! A small healthy service of plain processes, for faults to befall.
//!
//! A client asks three workers, who ask a database and append to a log under its lock; a checker looks after the database; a feed
//! goes through a pipe and reports over a unix socket; a journal is written to the disk and a spool to a small filesystem;
//! two others start short commands. The workers are in a control group of their own, with a CPU quota that they do not need.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::ground::Ground;
use crate::{repository::root, scoped_child::ScopedChild};

/// How many workers there are.
pub const WORKERS: u16 = 3;

/// The processes, and what they work on. All of it goes when this is dropped.
pub struct Workload {
    /// Where their files are.
    pub folder: PathBuf,
    /// The port of the database.
    pub database_port: u16,
    parts: BTreeMap<String, ScopedChild>,
    /// What they stand on, which goes after them.
    pub ground: Ground,
}

impl Workload {
    /// Starts it in a folder, which it may fill by some 100 MB.
    ///
    /// # Errors
    /// If anything cannot be started.
    pub fn start(folder: &Path) -> anyhow::Result<Workload> {
        for name in ["orders", "spool"] {
            std::fs::create_dir_all(folder.join(name)).with_context(|| format!("cannot make `{name}`"))?;
        }
        for name in ["app.log", "ledger.dat", "archive.dat"] {
            std::fs::write(folder.join(name), [b' '; 64]).with_context(|| format!("cannot write `{name}`"))?;
        }
        let ports = free_ports(1 + usize::from(WORKERS))?;
        let (&database_port, worker_ports) = ports.split_first().context("no port is free")?;
        let ground = Ground::make(folder, database_port)?;
        let mut workload = Workload { folder: folder.to_owned(), database_port, parts: BTreeMap::new(), ground };
        workload.start_parts(database_port, worker_ports)?;
        Ok(workload)
    }

    fn start_parts(&mut self, database: u16, workers: &[u16]) -> anyhow::Result<()> {
        let database = database.to_string();
        self.start_part("database", "database.py", &[&database], |_| {})?;
        let workers: Vec<String> = workers.iter().map(u16::to_string).collect();
        for (number, port) in (1..).zip(&workers) {
            let name = format!("worker-{number}");
            self.start_part(&name, "worker.py", &[port, &database], |_| {})?;
            self.ground.join_groups(self.pid(&name)?)?;
        }
        let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
        self.start_part("client", "client.py", &workers, |_| {})?;
        self.start_part("checker", "checker.py", &[&database], |_| {})?;
        self.start_part("feed", "feed.py", &[], |command| {
            command.stdout(Stdio::piped());
        })?;
        let pipe =
            self.parts.get_mut("feed").and_then(ScopedChild::take_stdout).context("the feed has no standard output")?;
        self.start_part("consumer", "consume.py", &[], |command| {
            command.stdin(pipe);
        })?;
        for part in ["collector", "reporter", "journal", "spooler", "supervisor"] {
            self.start_part(part, &format!("{part}.py"), &[], |_| {})?;
        }
        self.start_part("cron", "cron.sh", &[], |_| {})
    }

    fn start_part(
        &mut self,
        name: &str,
        script: &str,
        arguments: &[&str],
        with: impl FnOnce(&mut Command),
    ) -> anyhow::Result<()> {
        let mut command = self.command(script, arguments)?;
        with(&mut command);
        self.parts.insert(name.to_owned(), ScopedChild::start(name, &mut command)?);
        Ok(())
    }

    fn command(&self, script: &str, arguments: &[&str]) -> anyhow::Result<Command> {
        let path = root().join("xtask/src/measure/faults/parts").join(script);
        let mut command = ScopedChild::command(if script.ends_with(".py") { "/usr/bin/python3" } else { "/bin/sh" });
        // Nothing is to be written beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let log = File::options().create(true).append(true).open(self.folder.join("parts.log"));
        command.arg(path).arg(&self.folder).args(arguments).stdout(Stdio::null());
        command.stderr(log.context("cannot write `parts.log`")?);
        Ok(command)
    }

    /// Starts somebody who does not belong to it.
    ///
    /// # Errors
    /// If there is no interpreter.
    pub fn stranger(&self, script: &str, arguments: &[&str]) -> anyhow::Result<ScopedChild> {
        ScopedChild::start(script, &mut self.command(script, arguments)?)
    }

    /// The same, and waits for what that says first.
    ///
    /// # Errors
    /// If there is no interpreter, or nothing is said.
    pub fn talking_stranger(&self, script: &str, arguments: &[&str]) -> anyhow::Result<(ScopedChild, String)> {
        let mut stranger = ScopedChild::start(script, self.command(script, arguments)?.stdout(Stdio::piped()))?;
        let mut line = String::new();
        let said = stranger.take_stdout().with_context(|| format!("`{script}` has no standard output"))?;
        BufReader::new(said).read_line(&mut line).with_context(|| format!("`{script}` cannot be heard"))?;
        anyhow::ensure!(!line.is_empty(), "`{script}` ended before it began");
        Ok((stranger, line.trim_end().to_owned()))
    }

    /// The process id of a part.
    ///
    /// # Errors
    /// If there is no such part.
    pub fn pid(&self, part: &str) -> anyhow::Result<u32> {
        Ok(self.parts.get(part).with_context(|| format!("no part is called `{part}`"))?.id())
    }

    /// The part that has a process id.
    pub fn part_of(&self, pid: u64) -> Option<&str> {
        self.parts.iter().find(|(_, part)| u64::from(part.id()) == pid).map(|(name, _)| name.as_str())
    }

    /// Has a part do something else for a while.
    ///
    /// # Errors
    /// If it is not there.
    pub fn order(&self, part: &str, what: &str, seconds: f64) -> anyhow::Result<u32> {
        let pid = self.pid(part)?;
        let order = self.folder.join("orders").join(pid.to_string());
        std::fs::write(&order, format!("{what} {seconds}")).context("cannot write an order")?;
        signal(pid, Signal::USR1)?;
        Ok(pid)
    }

    /// Names of parts that have ended, which none should.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn ended(&mut self) -> anyhow::Result<Vec<String>> {
        let mut ended = Vec::new();
        for (name, part) in &mut self.parts {
            if part.exit_status()?.is_some() {
                ended.push(name.clone());
            }
        }
        Ok(ended)
    }
}

/// Sends one.
///
/// # Errors
/// If the process is not there.
pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process id")?;
    kill_process(id, signal).with_context(|| format!("cannot signal process {pid}"))
}

fn free_ports(n: usize) -> anyhow::Result<Vec<u16>> {
    let listeners = (0..n).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listeners = listeners.collect::<Result<Vec<_>, _>>().context("no port is free")?;
    Ok(listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<std::io::Result<_>>()?)
}
