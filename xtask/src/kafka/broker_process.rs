//! The process of the broker, recorded in a file so that the next `cargo xtask` finds it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Between a signal and the end of the process.
const EXIT_TIMEOUT: Duration = Duration::from_secs(20);

/// A broker's process, identified by pid and start time, because the kernel reuses pids.
#[derive(Debug, PartialEq)]
pub struct BrokerProcess {
    pid: u32,
    /// Clock ticks since boot.
    start_time: u64,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl BrokerProcess {
    /// The running process with a pid.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(pid: u32, address: String) -> anyhow::Result<BrokerProcess> {
        let start_time = read_start_time(pid).with_context(|| format!("process {pid} has ended"))?;
        Ok(BrokerProcess { pid, start_time, address })
    }

    /// The saved process; `None` if it has ended.
    pub fn load(folder: &Path) -> Option<BrokerProcess> {
        let text = std::fs::read_to_string(folder.join("pid")).ok()?;
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let start_time = words.next()?.parse().ok()?;
        let process = BrokerProcess { pid, start_time, address: words.next()?.to_owned() };
        process.is_alive().then_some(process)
    }

    /// Saves it for [`BrokerProcess::load`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let BrokerProcess { pid, start_time, address } = self;
        std::fs::write(folder.join("pid"), format!("{pid} {start_time} {address}\n")).context("cannot save Kafka's pid")
    }

    /// Removes the saved file.
    ///
    /// # Errors
    /// If it exists and cannot be removed.
    pub fn remove_file(folder: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(folder.join("pid")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot remove the file with Kafka's pid")
            }
            _ => Ok(()),
        }
    }

    /// Whether the process runs.
    pub fn is_alive(&self) -> bool {
        read_start_time(self.pid) == Some(self.start_time)
    }

    /// Ends the process with SIGTERM, or with SIGKILL if that takes too long.
    ///
    /// # Errors
    /// If it cannot be signalled, or does not end.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("the pid file holds no pid")?;
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        for signal in [Signal::TERM, Signal::KILL] {
            // Checked while the pidfd is open, so that the signal cannot reach another process.
            if !self.is_alive() {
                return Ok(());
            }
            pidfd_send_signal(&process, signal).with_context(|| format!("cannot end Kafka, process {}", self.pid))?;
            let start = Instant::now();
            while self.is_alive() && start.elapsed() < EXIT_TIMEOUT {
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        if self.is_alive() {
            bail!("Kafka, process {}, does not end", self.pid);
        }
        Ok(())
    }
}

/// The start time of a process in clock ticks since boot; `None` once it has ended.
fn read_start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may contain spaces and parentheses.
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

    use super::BrokerProcess;

    fn idle_process() -> Child {
        Command::new("sleep").arg("600").spawn().expect("`sleep` starts")
    }

    fn new_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn a_saved_process_is_found_again_and_ended() {
        let mut child = idle_process();
        let folder = new_folder("kafka-saved-process");
        let process = BrokerProcess::find(child.id(), "127.0.0.1:1".to_owned()).expect("it runs");
        process.save(&folder).expect("it is saved");
        assert_eq!(BrokerProcess::load(&folder).as_ref(), Some(&process));
        process.terminate().expect("it ends");
        assert_eq!(BrokerProcess::load(&folder), None);
        assert!(!child.wait().expect("a status").success());
        std::fs::remove_dir_all(folder).expect("the folder is removed");
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_left_alone() {
        let mut child = idle_process();
        let folder = new_folder("kafka-reused-pid");
        let mut earlier = BrokerProcess::find(child.id(), "127.0.0.1:1".to_owned()).expect("it runs");
        earlier.start_time -= 1;
        earlier.save(&folder).expect("it is saved");
        assert_eq!(BrokerProcess::load(&folder), None);
        earlier.terminate().expect("nothing to end");
        assert_eq!(child.try_wait().expect("a status"), None);
        child.kill().expect("it ends");
        child.wait().expect("a status");
        std::fs::remove_dir_all(folder).expect("the folder is removed");
    }
}
