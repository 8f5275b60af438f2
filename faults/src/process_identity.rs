//! Identifies processes. The kernel reuses pids, so an identity includes the start time.

use std::path::Path;

use anyhow::Context;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

use super::user::User;

/// One process, and no later one that gets its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: u64,
}

impl ProcessIdentity {
    /// Reads the identity of the process that has this pid now.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(pid: u32) -> anyhow::Result<ProcessIdentity> {
        let stat = Stat::read(pid).with_context(|| format!("there is no process {pid}"))?;
        Ok(ProcessIdentity { pid, start_time: stat.start_time })
    }

    /// Whether the process exists and is no zombie.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time && stat.state != 'Z')
    }

    /// Whether the process is stopped or gone.
    pub fn is_stopped(self) -> bool {
        Stat::read(self.pid).is_none_or(|stat| stat.start_time != self.start_time || matches!(stat.state, 'T' | 'Z'))
    }

    /// Whether all user ids of the process are those of this user: it is no setuid program.
    pub fn runs_as(self, user: User) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let expected = user.uid().to_string();
        uids.is_some_and(|uids| uids.split_ascii_whitespace().all(|uid| uid == expected)) && self.is_alive()
    }

    /// Sends a signal; does nothing if the process is gone.
    ///
    /// # Errors
    /// If that is not permitted.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        self.send(signal).or_else(ignore_gone).with_context(|| format!("cannot signal process {}", self.pid))
    }

    /// Sends a signal to the process and not to a later one with its pid: the descriptor is opened
    /// before the start time is compared.
    fn send(self, signal: Signal) -> Result<(), Errno> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        if self.is_alive() { pidfd_send_signal(&process, signal) } else { Ok(()) }
    }
}

fn ignore_gone(error: Errno) -> Result<(), Errno> {
    if error == Errno::SRCH { Ok(()) } else { Err(error) }
}

/// The name of a process (its comm); empty if it is gone.
pub fn process_name(pid: u32) -> String {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    comm.trim_end_matches('\n').to_owned()
}

/// Pids of the children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    let entries = Path::new("/proc").read_dir().into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| Stat::read(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// Pid of the parent of a process; `None` if the process is gone.
pub fn parent(pid: u32) -> Option<u32> {
    Some(Stat::read(pid)?.parent)
}

/// The needed fields of `/proc/PID/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    state: char,
    parent: u32,
    start_time: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        Stat::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // A process name can contain anything, including text that looks like fields.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        let parent = u32::try_from(number(1)?).ok()?;
        Some(Stat { state: fields.first()?.chars().next()?, parent, start_time: number(19)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_fields_is_parsed() {
        let text = "7 (a) S 9 (b) R 3 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0";
        assert_eq!(Stat::parse(text), Some(Stat { state: 'R', parent: 3, start_time: 4242 }));
    }

    #[test]
    fn a_child_is_listed_until_it_is_gone() {
        let own_pid = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        let found = (parent(pid), children(own_pid).contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, parent(pid)), ((Some(own_pid), true), None));
    }

    #[test]
    fn a_signal_does_not_reach_a_later_process_with_the_same_pid() {
        let this = ProcessIdentity::read(std::process::id()).unwrap();
        assert!(this.is_alive());
        let earlier = ProcessIdentity { start_time: this.start_time - 1, ..this };
        assert!(!earlier.is_alive());
        // Otherwise this would end the test.
        earlier.signal(Signal::KILL).unwrap();
    }
}
