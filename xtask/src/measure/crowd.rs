//! Processes for a host to have.

use std::{
    io::{PipeReader, PipeWriter},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::measure::tied::Tied;

/// Processes that do nothing, ended when this is dropped.
pub struct Crowd {
    processes: Vec<Tied>,
    files: Option<Files>,
}

/// What each process of a crowd has open: as a standard input and output one end of a pipe and one of a socket that it shares with
/// the next, and eight files.
struct Files {
    folder: PathBuf,
    // The other ends, for the process that comes next.
    ends: Option<(PipeReader, UnixStream)>,
}

/// How many processes append to one log.
const LOG_SHARED_BY: usize = 5;
/// In the folder; the first argument is the process's own number, the second its log's.
const OPEN_ALL: &str =
    "exec sleep infinity 2</dev/null 3</dev/null 4<own-$0 5>>log-$1 6<shared 7<. 8</dev/zero 9<own-$0";

impl Crowd {
    /// So many, with nothing open but the null device and what this process writes to.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn start(n: usize) -> anyhow::Result<Crowd> {
        let mut crowd = Crowd { processes: Vec::new(), files: None };
        crowd.resize(n)?;
        Ok(crowd)
    }

    /// None yet; those to come have ten descriptors each, for files in this folder among others.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn with_files(folder: PathBuf) -> anyhow::Result<Crowd> {
        write(&folder.join("shared"))?;
        Ok(Crowd { processes: Vec::new(), files: Some(Files { folder, ends: None }) })
    }

    /// Starts or ends processes until there are so many, and waits until all of them do nothing.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn resize(&mut self, n: usize) -> anyhow::Result<()> {
        let already = self.processes.len();
        self.processes.truncate(n);
        for at in already..n {
            let mut command = Tied::command("sleep");
            match &mut self.files {
                Some(files) => command = files.command(at)?,
                None => drop(command.arg("infinity")),
            }
            self.processes.push(Tied::start("sleep", &mut command)?);
        }
        self.processes.iter().skip(already).try_for_each(await_sleep)
    }
}

impl Files {
    fn command(&mut self, at: usize) -> anyhow::Result<Command> {
        write(&self.folder.join(format!("own-{at}")))?;
        let [log, at] = [at / LOG_SHARED_BY, at].map(|number| number.to_string());
        let mut command = Tied::command("sh");
        command.args(["-c", OPEN_ALL, &at, &log]).current_dir(&self.folder);
        match self.ends.take() {
            Some((pipe, socket)) => command.stdin(pipe).stdout(OwnedFd::from(socket)),
            None => {
                let (pipe, socket) = self.pair()?;
                command.stdin(OwnedFd::from(socket)).stdout(pipe)
            }
        };
        Ok(command)
    }

    /// Ends for one process; the others are kept.
    fn pair(&mut self) -> anyhow::Result<(PipeWriter, UnixStream)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        let (one, other) = UnixStream::pair().context("cannot make a pair of sockets")?;
        self.ends = Some((reader, other));
        Ok((writer, one))
    }
}

fn write(path: &Path) -> anyhow::Result<()> {
    std::fs::write(path, "a line\n").with_context(|| format!("cannot write `{}`", path.display()))
}

/// Until it is no shell any more.
fn await_sleep(process: &Tied) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let path = format!("/proc/{}/comm", process.id());
    let begun = Instant::now();
    while std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))? != "sleep\n" {
        ensure!(begun.elapsed() < PATIENCE, "process {} did not become `sleep` within {PATIENCE:?}", process.id());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn each_of_a_crowd_with_files_has_ten_files_open() {
        let folder = std::env::temp_dir().join(format!("crowd-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut crowd = Crowd::with_files(folder.clone()).expect("a crowd");
        for n in [3, 1, 4] {
            crowd.resize(n).expect("they start");
            assert_eq!(crowd.processes.len(), n);
            for process in &crowd.processes {
                let leads = |fd: usize| std::fs::read_link(format!("/proc/{}/fd/{fd}", process.id()));
                assert!((0..10).all(|fd| leads(fd).is_ok()));
            }
        }
        drop(crowd);
        std::fs::remove_dir_all(&folder).expect("the folder goes");
    }
}
