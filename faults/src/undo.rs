//! Undo steps: each reverts one change of a fault.
//!
//! A step is recorded before its change is made, so it may find nothing to revert. Executing a step
//! twice has no further effect.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::{process_identity::ProcessIdentity, user::User};

mod cgroups;
mod firewall;

use cgroups::{members, remove_cgroup};
pub use cgroups::{move_to_cgroup, set_frozen};
use firewall::delete_rule;
pub use firewall::{check_rule_is_absent, insert_rule};

/// An action that reverts one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoStep {
    /// Continues a stopped process.
    Continue(ProcessIdentity),
    /// Removes a file.
    RemoveFile {
        /// Path of the file.
        file: PathBuf,
        /// Who created it.
        user: User,
    },
    /// Removes a file if it is still the one that the fault created.
    RemoveInode {
        /// Path of the file.
        file: PathBuf,
        /// Who created it.
        user: User,
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
            UndoStep::RemoveFile { file, user } => user.run(|| remove_file(file))?,
            UndoStep::RemoveInode { file, user, device, inode } => {
                user.run(|| remove_inode(file, (*device, *inode)))?
            }
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

fn remove_file(file: &Path) -> anyhow::Result<()> {
    ignore_missing(std::fs::remove_file(file)).with_context(|| cannot_remove(file))
}

fn remove_inode(file: &Path, created: (u64, u64)) -> anyhow::Result<()> {
    let is_same = file.symlink_metadata().is_ok_and(|found| (found.dev(), found.ino()) == created);
    if is_same { remove_file(file) } else { Ok(()) }
}

fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_executed_backwards_and_may_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let file = inner.join("file");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "").unwrap();
        let steps = [UndoStep::RemoveFolder(inner.clone()), UndoStep::RemoveFile { file, user: User::Current }];
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
        let steps = [UndoStep::RemoveFile { file: file.clone(), user: User::Current }, UndoStep::RemoveFolder(full)];
        let error = apply_all(&steps).unwrap_err();
        assert!(error.to_string().contains("/full`"), "{error}");
        assert!(!file.exists());
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
