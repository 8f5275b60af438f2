//! The broker that runs, found again by the next `cargo xtask`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long it may take to end when asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker's process. Its start time tells it from a later process that was given the same pid.
#[derive(Debug, PartialEq)]
pub struct Running {
    pid: u32,
    started: u64,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl Running {
    /// The process with this pid.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(pid: u32, address: String) -> anyhow::Result<Running> {
        let started = started(pid).with_context(|| format!("process {pid} has ended"))?;
        Ok(Running { pid, started, address })
    }

    /// The one that was noted, if it still runs.
    pub fn read(folder: &Path) -> Option<Running> {
        let text = std::fs::read_to_string(folder.join("pid")).ok()?;
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let started = words.next()?.parse().ok()?;
        let running = Running { pid, started, address: words.next()?.to_owned() };
        running.is_alive().then_some(running)
    }

    /// Notes it for the next `cargo xtask`.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let Running { pid, started, address } = self;
        std::fs::write(folder.join("pid"), format!("{pid} {started} {address}\n")).context("cannot note Kafka's pid")
    }

    /// Forgets what was noted.
    ///
    /// # Errors
    /// If that cannot be removed.
    pub fn forget(folder: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(folder.join("pid")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot forget Kafka's pid")
            }
            _ => Ok(()),
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Asks it to end, and makes it end if it does not.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub fn end(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("the pid file holds no pid")?;
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        for signal in [Signal::TERM, Signal::KILL] {
            // Asked after the process is held open, so that the signal cannot reach a stranger.
            if !self.is_alive() {
                return Ok(());
            }
            pidfd_send_signal(&process, signal).with_context(|| format!("cannot end Kafka, process {}", self.pid))?;
            let begun = Instant::now();
            while self.is_alive() && begun.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        if self.is_alive() {
            bail!("Kafka, process {}, does not end", self.pid);
        }
        Ok(())
    }
}

/// When a process started, in ticks since boot; nothing once it has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(words.next()?, "Z" | "X") {
        return None;
    }
    words.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        process::{Child, Command},
    };

    use super::Running;

    fn idle_process() -> Child {
        Command::new("sleep").arg("600").spawn().expect("`sleep` runs")
    }

    fn fresh_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn a_process_is_found_again_and_ended() {
        let (mut child, folder) = (idle_process(), fresh_folder("kafka-found-again"));
        let running = Running::of(child.id(), "127.0.0.1:1".to_owned()).expect("it runs");
        running.write(&folder).expect("noted");
        assert_eq!(Running::read(&folder).as_ref(), Some(&running));
        running.end().expect("ended");
        assert_eq!(Running::read(&folder), None);
        assert!(!child.wait().expect("a status").success());
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_stranger_with_the_same_pid_is_left_alone() {
        let (mut child, folder) = (idle_process(), fresh_folder("kafka-stranger"));
        let mut earlier = Running::of(child.id(), "127.0.0.1:1".to_owned()).expect("it runs");
        earlier.started -= 1;
        earlier.write(&folder).expect("noted");
        assert_eq!(Running::read(&folder), None);
        earlier.end().expect("nothing to end");
        assert_eq!(child.try_wait().expect("a status"), None);
        child.kill().expect("ended");
        child.wait().expect("a status");
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
