//! Who a process is: the kernel hands a pid to another once its process is gone, so the start time belongs to it.

use std::path::Path;

use anyhow::Context;
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use serde::{Deserialize, Serialize};

/// A process, and no other that has its pid later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Process id.
    pub pid: u32,
    /// Clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: u64,
}

impl Who {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(pid: u32) -> anyhow::Result<Who> {
        let stat = Stat::read(pid).with_context(|| format!("there is no process {pid}"))?;
        Ok(Who { pid, start_time: stat.start_time })
    }

    /// Whether it is there still, and more than an entry that nobody has read yet.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time && stat.state != 'Z')
    }

    /// Whether it stands still, or is gone.
    pub fn is_stopped(self) -> bool {
        Stat::read(self.pid).is_none_or(|stat| stat.start_time != self.start_time || matches!(stat.state, 'T' | 'Z'))
    }

    /// Sends a signal; does nothing if it is gone.
    ///
    /// # Errors
    /// If that is not allowed.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.is_alive()) else { return Ok(()) };
        let sent = kill_process(pid, signal).or_else(|error| if error == Errno::SRCH { Ok(()) } else { Err(error) });
        sent.with_context(|| format!("cannot signal process {}", self.pid))
    }
}

/// The name of a process, as others see it; empty if it is gone.
pub fn name(pid: u32) -> String {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    comm.trim_end_matches('\n').to_owned()
}

/// The processes that a process has started and that are there still.
pub fn children(parent: u32) -> Vec<u32> {
    let entries = Path::new("/proc").read_dir().into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| Stat::read(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// The process that has started a process; none if that is gone.
pub fn parent(pid: u32) -> Option<u32> {
    Some(Stat::read(pid)?.parent)
}

/// What is wanted of `/proc/PID/stat`.
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
        // A name may hold anything, and so may begin or end what looks like a field.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        let parent = u32::try_from(number(1)?).ok()?;
        Some(Stat { state: fields.first()?.chars().next()?, parent, start_time: number(19)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_like_a_field_does_not_mislead() {
        let text = "7 (a) S 9 (b) R 3 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0";
        assert_eq!(Stat::parse(text), Some(Stat { state: 'R', parent: 3, start_time: 4242 }));
    }

    #[test]
    fn a_child_has_its_parent() {
        let me = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        let found = (parent(pid), children(me).contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, parent(pid)), ((Some(me), true), None));
    }

    #[test]
    fn another_with_the_same_pid_is_not_meant() {
        let this = Who::of(std::process::id()).unwrap();
        assert!(this.is_alive());
        let earlier = Who { start_time: this.start_time - 1, ..this };
        assert!(!earlier.is_alive());
        // It would end this test.
        earlier.signal(Signal::KILL).unwrap();
    }
}
