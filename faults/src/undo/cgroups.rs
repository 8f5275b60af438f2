//! Moves processes between control groups, freezes groups and removes them.

use std::{path::Path, time::Duration};

use anyhow::Context;

use super::ignore_missing;
use crate::helper::pause;

/// Pids of a control group's members; empty if there is no such group.
pub(super) fn members(group: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // The kernel shows processes of other pid namespaces as 0. Writing 0 would move this process.
    text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0).collect()
}

/// Moves a process to a control group; does nothing if the process is gone.
///
/// # Errors
/// If the kernel refuses.
pub fn move_to_cgroup(group: &Path, pid: u32) -> anyhow::Result<()> {
    const ESRCH: i32 = 3;
    let written = std::fs::write(group.join("cgroup.procs"), pid.to_string());
    written
        .or_else(|error| if error.raw_os_error() == Some(ESRCH) { Ok(()) } else { Err(error) })
        .with_context(|| format!("cannot move process {pid} to the control group `{}`", group.display()))
}

/// Removes a control group after moving its members to another; does nothing if there is none.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn remove_cgroup(group: &Path, to: &Path) -> anyhow::Result<()> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut removed = Ok(());
    for _ in 0..ATTEMPTS {
        for pid in members(group) {
            // The next attempt retries a process that cannot be moved now.
            let _ = move_to_cgroup(to, pid);
        }
        removed = ignore_missing(std::fs::remove_dir(group));
        if removed.is_ok() {
            break;
        }
        // Exiting processes are members until they are gone.
        pause(PAUSE);
    }
    removed.with_context(|| format!("cannot remove the control group `{}`", group.display()))
}

/// Freezes or thaws all processes of a control group, version 1 or 2.
///
/// # Errors
/// If the kernel refuses.
pub fn set_frozen(group: &Path, is_frozen: bool) -> anyhow::Result<()> {
    let v2_file = group.join("cgroup.freeze");
    let (file, value) = match is_frozen {
        _ if v2_file.exists() => (v2_file, if is_frozen { "1" } else { "0" }),
        true => (group.join("freezer.state"), "FROZEN"),
        false => (group.join("freezer.state"), "THAWED"),
    };
    std::fs::write(&file, value).with_context(|| format!("cannot write `{value}` to `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_other_pid_namespaces_are_not_moved() {
        let group = tempfile::tempdir().unwrap();
        std::fs::write(group.path().join("cgroup.procs"), "0\n12\n0\n7\n").unwrap();
        assert_eq!(members(group.path()), [12, 7]);
    }
}
