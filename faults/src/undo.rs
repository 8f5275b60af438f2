//! What a fault changes, as the steps that take it back. A step is told before its change is made, so it may find nothing to do;
//! and it may be taken twice.

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

use super::{need::search_path, part::pause, who::Who};

/// What `iptables -C` ends with if there is no such rule.
const NO_RULE: i32 = 1;

/// A step back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// A stopped process goes on.
    Continue(Who),
    /// A file is removed.
    RemoveFile(PathBuf),
    /// A file is removed if it is still the one that was made there.
    RemoveOwn {
        /// Its path.
        file: PathBuf,
        /// The device that it was made on.
        device: u64,
        /// Its inode there.
        inode: u64,
    },
    /// An empty folder is removed.
    RemoveFolder(PathBuf),
    /// A process leaves a control group for the one that it was in.
    Return {
        /// Process id.
        pid: u32,
        /// The folder of the fault's group. Whoever is in it was put there, so the pid alone will do.
        from: PathBuf,
        /// The folder of its own group.
        to: PathBuf,
    },
    /// A control group is removed; whoever is in it still leaves for another.
    RemoveGroup {
        /// Its folder.
        group: PathBuf,
        /// The folder of the other.
        to: PathBuf,
    },
    /// A rule of the packet filter is deleted.
    DeleteRule(Vec<String>),
}

impl Undo {
    /// Takes the step.
    ///
    /// # Errors
    /// If something of the change is left.
    pub fn take(&self) -> anyhow::Result<()> {
        match self {
            Undo::Continue(who) => who.signal(Signal::CONT),
            Undo::RemoveFile(file) => {
                gone(std::fs::remove_file(file)).with_context(|| format!("cannot remove `{}`", file.display()))
            }
            Undo::RemoveOwn { file, device, inode } => remove_own(file, (*device, *inode)),
            Undo::RemoveFolder(folder) => {
                gone(std::fs::remove_dir(folder)).with_context(|| format!("cannot remove `{}`", folder.display()))
            }
            // A manager of groups may have removed one that was left.
            Undo::Return { pid, from, to } if members(from).contains(pid) && to.is_dir() => move_to(to, *pid),
            Undo::Return { .. } => Ok(()),
            Undo::RemoveGroup { group, to } => remove_group(group, to),
            Undo::DeleteRule(rule) => delete_rule(rule),
        }
    }
}

/// Takes all steps, the last one first, whatever comes of the others.
///
/// # Errors
/// All that stays.
pub fn take_all(steps: &[Undo]) -> anyhow::Result<()> {
    let failed = steps.iter().rev().filter_map(|step| step.take().err());
    let failed: Vec<String> = failed.map(|error| format!("{error:#}")).collect();
    anyhow::ensure!(failed.is_empty(), "something of the fault is left: {}", failed.join("; "));
    Ok(())
}

fn remove_own(file: &Path, made: (u64, u64)) -> anyhow::Result<()> {
    let is_own = file.symlink_metadata().is_ok_and(|found| (found.dev(), found.ino()) == made);
    let removed = if is_own { gone(std::fs::remove_file(file)) } else { Ok(()) };
    removed.with_context(|| format!("cannot remove `{}`", file.display()))
}

/// What is gone already need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// The processes of a control group; none if there is no such group.
fn members(group: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // One of another pid namespace is shown as 0, and who writes that moves itself.
    text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0).collect()
}

/// Puts a process into a control group; does nothing if it is gone.
///
/// # Errors
/// If the kernel refuses.
pub fn move_to(group: &Path, pid: u32) -> anyhow::Result<()> {
    const NO_SUCH_PROCESS: i32 = 3;
    let written = std::fs::write(group.join("cgroup.procs"), pid.to_string());
    written
        .or_else(|error| if error.raw_os_error() == Some(NO_SUCH_PROCESS) { Ok(()) } else { Err(error) })
        .with_context(|| format!("cannot move process {pid} to the control group `{}`", group.display()))
}

fn remove_group(group: &Path, to: &Path) -> anyhow::Result<()> {
    const TRIES: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut removed = Ok(());
    for _ in 0..TRIES {
        for pid in members(group) {
            // One that cannot be moved now is met again.
            let _ = move_to(to, pid);
        }
        removed = gone(std::fs::remove_dir(group));
        if removed.is_ok() {
            break;
        }
        // Those that are on their way out count until they are.
        pause(PAUSE);
    }
    removed.with_context(|| format!("cannot remove the control group `{}`", group.display()))
}

fn delete_rule(rule: &[String]) -> anyhow::Result<()> {
    /// What `iptables` ends with if somebody else is at the filter.
    const BUSY: i32 = 4;
    /// Five seconds each.
    const TRIES: u32 = 24;
    let mut tries = 0;
    loop {
        let checked = run_filter("-C", rule, Stdio::null())?;
        if checked.status.code() == Some(NO_RULE) {
            return Ok(());
        }
        let (action, outcome) =
            if checked.status.success() { ("-D", run_filter("-D", rule, Stdio::null())?) } else { ("-C", checked) };
        tries += u32::from(outcome.status.code() == Some(BUSY));
        if !outcome.status.success() && (outcome.status.code() != Some(BUSY) || tries > TRIES) {
            return Err(refused(action, rule, &outcome));
        }
    }
}

/// Sees to it that there is a packet filter, and no such rule yet: one that is there already is not to be deleted afterwards.
///
/// # Errors
/// If it cannot be looked at, with what the tool says, or there is such a rule.
pub fn check_no_rule(rule: &[String]) -> anyhow::Result<()> {
    is_absent(rule, &run_filter("-C", rule, Stdio::null())?)
}

fn is_absent(rule: &[String], checked: &Output) -> anyhow::Result<()> {
    if checked.status.code() == Some(NO_RULE) {
        return Ok(());
    }
    if checked.status.success() {
        let rule = rule.join(" ");
        return Err(anyhow::anyhow!("the packet filter has the rule `{rule}` already"))
            .hint(format!("delete it: `iptables -D {rule}`"));
    }
    Err(refused("-C", rule, checked)).hint("this kernel or container may have no packet filter, or not give it to you")
}

/// Inserts a rule before all others, some of which may take what comes by loopback; the tool holds `stdin` for as long as it
/// works.
///
/// # Errors
/// If it is not taken, with what the tool says.
pub fn insert_rule(rule: &[String], stdin: Stdio) -> anyhow::Result<()> {
    let outcome = run_filter("-I", rule, stdin)?;
    if outcome.status.success() { Ok(()) } else { Err(refused("-I", rule, &outcome)) }
}

fn refused(action: &str, rule: &[String], outcome: &Output) -> anyhow::Error {
    let said = String::from_utf8_lossy(&outcome.stderr);
    anyhow::anyhow!("`iptables {action} {}` ended with {}: {}", rule.join(" "), outcome.status, said.trim_end())
}

/// Has `iptables` do something with a rule, waiting for whoever else is at it.
fn run_filter(action: &str, rule: &[String], stdin: Stdio) -> anyhow::Result<Output> {
    let mut command = Command::new("iptables");
    command.env("PATH", search_path()).args(["-w", "5", action]).args(rule).stdin(stdin);
    command.output().context("cannot run `iptables`")
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    use super::*;

    #[test]
    fn steps_are_taken_backwards_and_as_often_as_one_likes() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, file) = (folder.path().join("inner"), folder.path().join("inner/file"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "").unwrap();
        let steps = [Undo::RemoveFolder(inner.clone()), Undo::RemoveFile(file)];
        take_all(&steps).unwrap();
        assert!(!inner.exists());
        take_all(&steps).unwrap();
    }

    #[test]
    fn what_fails_keeps_no_other_step_from_being_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (full, file) = (folder.path().join("full"), folder.path().join("file"));
        std::fs::create_dir_all(full.join("other")).unwrap();
        std::fs::write(&file, "").unwrap();
        let error = take_all(&[Undo::RemoveFile(file.clone()), Undo::RemoveFolder(full)]).unwrap_err();
        assert!(error.to_string().contains("/full`"), "{error}");
        assert!(!file.exists());
    }

    #[test]
    fn members_of_another_namespace_are_nobody_to_be_moved() {
        let group = tempfile::tempdir().unwrap();
        std::fs::write(group.path().join("cgroup.procs"), "0\n12\n0\n7\n").unwrap();
        assert_eq!(members(group.path()), [12, 7]);
    }

    #[test]
    fn a_rule_is_added_only_where_there_is_a_filter_and_no_such_rule() {
        let rule = ["INPUT".to_owned(), "-j".to_owned(), "DROP".to_owned()];
        let ended = |code: i32| Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: b"can't initialize\n".to_vec(),
        };
        assert!(is_absent(&rule, &ended(NO_RULE)).is_ok());
        let there = is_absent(&rule, &ended(0)).unwrap_err().to_string();
        assert_eq!(there, "the packet filter has the rule `INPUT -j DROP` already");
        let refused = is_absent(&rule, &ended(3)).unwrap_err().to_string();
        assert_eq!(refused, "`iptables -C INPUT -j DROP` ended with exit status: 3: can't initialize");
    }

    #[test]
    fn a_step_survives_the_pipe() {
        let who = Who { pid: 7, start_time: 42 };
        let step = Undo::Return { pid: 7, from: "/a \"b\n".into(), to: "/".into() };
        for step in [Undo::Continue(who), step, Undo::DeleteRule(vec!["-p".to_owned()])] {
            let line = serde_json::to_string(&step).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Undo>(&line).unwrap(), step);
        }
    }
}
