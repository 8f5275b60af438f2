//! Undo steps: each reverts one change of a fault.
//!
//! A step is recorded before its change is made, so it may find nothing to revert. Executing a step
//! twice has no further effect.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use service::Hint;

use super::{helper::pause, process_identity::ProcessIdentity, requirement::search_path};

/// Exit code of `iptables -C` if the rule does not exist.
const NO_RULE: i32 = 1;

/// An action that reverts one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoStep {
    /// Continues a stopped process.
    Continue(ProcessIdentity),
    /// Removes a file.
    RemoveFile(PathBuf),
    /// Removes a file if it is still the one that the fault created.
    RemoveInode {
        /// Path of the file.
        file: PathBuf,
        /// Device of the created file.
        device: u64,
        /// Inode of the created file.
        inode: u64,
    },
    /// Removes an empty folder.
    RemoveFolder(PathBuf),
    /// Moves a process from a fault's control group back to its own.
    LeaveCgroup {
        /// Process id. The fault put all members into its group, so no start time is needed.
        pid: u32,
        /// Folder of the fault's group.
        from: PathBuf,
        /// Folder of the process's own group.
        to: PathBuf,
    },
    /// Removes a control group after moving its members to another.
    RemoveCgroup {
        /// Folder of the group.
        group: PathBuf,
        /// Folder of the other group.
        to: PathBuf,
    },
    /// Thaws a frozen control group, given by its folder.
    ThawCgroup(PathBuf),
    /// Deletes a firewall rule.
    DeleteRule(Vec<String>),
}

impl UndoStep {
    /// Executes the step.
    ///
    /// # Errors
    /// If the change cannot be reverted.
    pub fn apply(&self) -> anyhow::Result<()> {
        match self {
            UndoStep::Continue(process) => process.signal(Signal::CONT),
            UndoStep::RemoveFile(file) => {
                ignore_missing(std::fs::remove_file(file)).with_context(|| cannot_remove(file))
            }
            UndoStep::RemoveInode { file, device, inode } => remove_inode(file, (*device, *inode)),
            UndoStep::RemoveFolder(folder) => {
                ignore_missing(std::fs::remove_dir(folder)).with_context(|| cannot_remove(folder))
            }
            // A manager of control groups may have removed the original group.
            UndoStep::LeaveCgroup { pid, from, to } if members(from).contains(pid) && to.is_dir() => {
                move_to_cgroup(to, *pid)
            }
            UndoStep::LeaveCgroup { .. } => Ok(()),
            UndoStep::RemoveCgroup { group, to } => remove_cgroup(group, to),
            UndoStep::ThawCgroup(group) if group.is_dir() => set_frozen(group, false),
            UndoStep::ThawCgroup(_) => Ok(()),
            UndoStep::DeleteRule(rule) => delete_rule(rule),
        }
    }
}

/// Executes all steps, the last one first, even if some fail.
///
/// # Errors
/// Names every change that cannot be reverted.
pub fn apply_all(steps: &[UndoStep]) -> anyhow::Result<()> {
    let errors = steps.iter().rev().filter_map(|step| step.apply().err());
    let errors: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    anyhow::ensure!(errors.is_empty(), "the fault is not undone completely: {}", errors.join("; "));
    Ok(())
}

fn cannot_remove(path: &Path) -> String {
    format!("cannot remove `{}`", path.display())
}

fn remove_inode(file: &Path, created: (u64, u64)) -> anyhow::Result<()> {
    let is_same = file.symlink_metadata().is_ok_and(|found| (found.dev(), found.ino()) == created);
    let removed = if is_same { ignore_missing(std::fs::remove_file(file)) } else { Ok(()) };
    removed.with_context(|| cannot_remove(file))
}

fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Pids of a control group's members; empty if there is no such group.
fn members(group: &Path) -> Vec<u32> {
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

fn remove_cgroup(group: &Path, to: &Path) -> anyhow::Result<()> {
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

fn delete_rule(rule: &[String]) -> anyhow::Result<()> {
    /// Exit code of `iptables` if another process holds its lock.
    const BUSY: i32 = 4;
    /// Each takes up to five seconds.
    const ATTEMPTS: u32 = 24;
    let mut attempts = 0;
    loop {
        let checked = run_iptables("-C", rule, Stdio::null())?;
        if checked.status.code() == Some(NO_RULE) {
            return Ok(());
        }
        let (action, outcome) =
            if checked.status.success() { ("-D", run_iptables("-D", rule, Stdio::null())?) } else { ("-C", checked) };
        attempts += u32::from(outcome.status.code() == Some(BUSY));
        if !outcome.status.success() && (outcome.status.code() != Some(BUSY) || attempts > ATTEMPTS) {
            return Err(iptables_error(action, rule, &outcome));
        }
    }
}

/// Checks that `iptables` works and the rule does not exist: an existing rule would be deleted by
/// the undo step.
///
/// # Errors
/// If the rule exists, or `iptables` fails.
pub fn check_rule_is_absent(rule: &[String]) -> anyhow::Result<()> {
    check_is_absent(rule, &run_iptables("-C", rule, Stdio::null())?)
}

fn check_is_absent(rule: &[String], checked: &Output) -> anyhow::Result<()> {
    if checked.status.code() == Some(NO_RULE) {
        return Ok(());
    }
    if checked.status.success() {
        let rule = rule.join(" ");
        return Err(anyhow::anyhow!("the firewall already has the rule `{rule}`"))
            .hint(format!("delete it: `iptables -D {rule}`"));
    }
    Err(iptables_error("-C", rule, checked)).hint("this kernel or container may have no firewall, or deny access to it")
}

/// Inserts a rule before all others, some of which may accept loopback traffic. `iptables` holds
/// `stdin` while it runs.
///
/// # Errors
/// If `iptables` fails.
pub fn insert_rule(rule: &[String], stdin: Stdio) -> anyhow::Result<()> {
    let outcome = run_iptables("-I", rule, stdin)?;
    if outcome.status.success() { Ok(()) } else { Err(iptables_error("-I", rule, &outcome)) }
}

fn iptables_error(action: &str, rule: &[String], outcome: &Output) -> anyhow::Error {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    anyhow::anyhow!("`iptables {action} {}` exited with {}: {}", rule.join(" "), outcome.status, stderr.trim_end())
}

/// Runs `iptables`, which waits up to five seconds for its lock.
fn run_iptables(action: &str, rule: &[String], stdin: Stdio) -> anyhow::Result<Output> {
    let mut command = Command::new("iptables");
    command.env("PATH", search_path()).args(["-w", "5", action]).args(rule).stdin(stdin);
    command.output().context("cannot run `iptables`")
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    use super::*;

    #[test]
    fn steps_are_executed_backwards_and_may_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let file = inner.join("file");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "").unwrap();
        let steps = [UndoStep::RemoveFolder(inner.clone()), UndoStep::RemoveFile(file)];
        apply_all(&steps).unwrap();
        assert!(!inner.exists());
        apply_all(&steps).unwrap();
    }

    #[test]
    fn a_step_that_fails_does_not_prevent_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full");
        let file = folder.path().join("file");
        std::fs::create_dir_all(full.join("other")).unwrap();
        std::fs::write(&file, "").unwrap();
        let steps = [UndoStep::RemoveFile(file.clone()), UndoStep::RemoveFolder(full)];
        let error = apply_all(&steps).unwrap_err();
        assert!(error.to_string().contains("/full`"), "{error}");
        assert!(!file.exists());
    }

    #[test]
    fn processes_of_other_pid_namespaces_are_not_moved() {
        let group = tempfile::tempdir().unwrap();
        std::fs::write(group.path().join("cgroup.procs"), "0\n12\n0\n7\n").unwrap();
        assert_eq!(members(group.path()), [12, 7]);
    }

    #[test]
    fn a_rule_is_added_only_if_the_firewall_works_and_lacks_the_rule() {
        let rule = ["INPUT".to_owned(), "-j".to_owned(), "DROP".to_owned()];
        let output = |code: i32| Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: b"can't initialize\n".to_vec(),
        };
        assert!(check_is_absent(&rule, &output(NO_RULE)).is_ok());
        let exists = check_is_absent(&rule, &output(0)).unwrap_err().to_string();
        assert_eq!(exists, "the firewall already has the rule `INPUT -j DROP`");
        let failed = check_is_absent(&rule, &output(3)).unwrap_err().to_string();
        assert_eq!(failed, "`iptables -C INPUT -j DROP` exited with exit status: 3: can't initialize");
    }

    #[test]
    fn a_step_is_one_line_of_json_and_reads_back_unchanged() {
        let process = ProcessIdentity { pid: 7, start_time: 42 };
        let leave = UndoStep::LeaveCgroup { pid: 7, from: "/a \"b\n".into(), to: "/".into() };
        for step in [UndoStep::Continue(process), leave, UndoStep::DeleteRule(vec!["-p".to_owned()])] {
            let line = serde_json::to_string(&step).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<UndoStep>(&line).unwrap(), step);
        }
    }
}
