//! Idle processes that give a host a known number of processes and open files.

use std::{
    io::{PipeReader, PipeWriter},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::scoped_child::ScopedChild;

/// Processes that sleep until this is dropped.
pub struct IdleProcesses {
    processes: Vec<ScopedChild>,
    open_files: Option<OpenFiles>,
}

/// The open files of each process: as standard input and output one end of a pipe and one of a
/// socket that the next process has the other ends of, and eight files.
struct OpenFiles {
    folder: PathBuf,
    /// The ends for the process that starts next.
    next_ends: Option<(PipeReader, UnixStream)>,
}

/// How many processes append to one log.
const PROCESSES_PER_LOG: usize = 5;
/// `$0` is the number of the process, `$1` that of its log.
const OPEN_FILES_SCRIPT: &str =
    "exec sleep infinity 2</dev/null 3</dev/null 4<own-$0 5>>log-$1 6<shared 7<. 8</dev/zero 9<own-$0";
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl IdleProcesses {
    /// Starts `n` processes with no open files but their standard streams.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn start(n: usize) -> anyhow::Result<IdleProcesses> {
        let mut processes = IdleProcesses { processes: Vec::new(), open_files: None };
        processes.resize(n)?;
        Ok(processes)
    }

    /// No processes yet; those that [`IdleProcesses::resize`] starts have ten open files each, most
    /// of them in this folder.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn with_open_files(folder: PathBuf) -> anyhow::Result<IdleProcesses> {
        write_line(&folder.join("shared"))?;
        Ok(IdleProcesses { processes: Vec::new(), open_files: Some(OpenFiles { folder, next_ends: None }) })
    }

    /// Starts or ends processes until there are `n`, and waits until all of them sleep.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn resize(&mut self, n: usize) -> anyhow::Result<()> {
        let already = self.processes.len();
        self.processes.truncate(n);
        for number in already..n {
            let mut command = ScopedChild::command("sleep");
            match &mut self.open_files {
                Some(files) => command = files.command(number)?,
                None => drop(command.arg("infinity")),
            }
            self.processes.push(ScopedChild::start("sleep", &mut command)?);
        }
        self.processes.iter().skip(already).try_for_each(wait_for_sleep)
    }
}

impl OpenFiles {
    fn command(&mut self, number: usize) -> anyhow::Result<Command> {
        write_line(&self.folder.join(format!("own-{number}")))?;
        let log = number / PROCESSES_PER_LOG;
        let mut command = ScopedChild::command("sh");
        command.args(["-c", OPEN_FILES_SCRIPT, &number.to_string(), &log.to_string()]).current_dir(&self.folder);
        match self.next_ends.take() {
            Some((pipe, socket)) => command.stdin(pipe).stdout(OwnedFd::from(socket)),
            None => {
                let (pipe, socket) = self.open_ends()?;
                command.stdin(OwnedFd::from(socket)).stdout(pipe)
            }
        };
        Ok(command)
    }

    /// Opens a pipe and a pair of sockets. Returns an end of each and keeps the others.
    fn open_ends(&mut self) -> anyhow::Result<(PipeWriter, UnixStream)> {
        let (reader, writer) = std::io::pipe().context("cannot open a pipe")?;
        let (own, other) = UnixStream::pair().context("cannot open a pair of sockets")?;
        self.next_ends = Some((reader, other));
        Ok((writer, own))
    }
}

fn write_line(path: &Path) -> anyhow::Result<()> {
    std::fs::write(path, "a line\n").with_context(|| format!("cannot write `{}`", path.display()))
}

/// Waits until the shell or `setpriv` has become `sleep`.
fn wait_for_sleep(process: &ScopedChild) -> anyhow::Result<()> {
    let path = format!("/proc/{}/comm", process.id());
    let start = Instant::now();
    while std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))? != "sleep\n" {
        let pid = process.id();
        ensure!(start.elapsed() < START_TIMEOUT, "process {pid} did not become `sleep` within {START_TIMEOUT:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::IdleProcesses;

    #[test]
    fn each_idle_process_has_ten_open_files() {
        let folder = std::env::temp_dir().join(format!("idle-processes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut idle = IdleProcesses::with_open_files(folder.clone()).expect("a writable folder");
        for n in [3, 1, 4] {
            idle.resize(n).expect("they start");
            assert_eq!(idle.processes.len(), n);
            for process in &idle.processes {
                let target = |fd: usize| std::fs::read_link(format!("/proc/{}/fd/{fd}", process.id()));
                assert!((0..10).all(|fd| target(fd).is_ok()));
            }
        }
        drop(idle);
        std::fs::remove_dir_all(&folder).expect("the folder is removed");
    }
}
