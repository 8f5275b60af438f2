//! The changes that a fault makes beside its helpers. The guard receives each undo step first.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf, absolute},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use service::Hint;

use super::{Event, Injector};
use crate::{
    cgroup::Controller,
    helper::pause,
    process_identity::ProcessIdentity,
    trusted_folder,
    undo::{self, UndoStep},
    workload::{self, ActiveBug, Component},
};

/// How long to wait until a process has stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

impl Injector {
    /// Switches on a bug of a component, such as `leak 25`. The fault fails if the bug ends early.
    ///
    /// # Errors
    /// If the component refuses it.
    pub fn start_bug(&mut self, component: &Component, bug: &str) -> anyhow::Result<()> {
        let active = self.send_bug(component, bug)?;
        let sender = self.sender();
        let name = component.name.clone();
        active.on_end(move || {
            // The receiver is gone if the fault has ended, which ends its bugs.
            let _ = sender.send(Event::BugEnded(name));
        })?;
        self.bugs.push(active);
        Ok(())
    }

    /// Switches on a bug that may end before the fault, because it kills the component or
    /// completes.
    ///
    /// # Errors
    /// If the component refuses it.
    pub fn start_bug_that_may_end(&mut self, component: &Component, bug: &str) -> anyhow::Result<()> {
        let active = self.send_bug(component, bug)?;
        self.bugs.push(active);
        Ok(())
    }

    fn send_bug(&self, component: &Component, bug: &str) -> anyhow::Result<ActiveBug> {
        // The bug ends with the connection; the time limit is for the case that this process hangs.
        const MARGIN: u64 = 5;
        workload::start_bug(component, self.user, bug, self.duration.as_secs() + MARGIN)
    }

    /// Stops a process of the workload by SIGSTOP.
    ///
    /// # Errors
    /// If the process is gone, or does not run as the workload's user.
    pub fn stop_process(&mut self, pid: u32) -> anyhow::Result<()> {
        let process = self.own_process(pid)?;
        self.guard.add(UndoStep::Continue(process))?;
        process.signal(Signal::STOP)?;
        // Each thread stops when it next returns to user space; one that waits for a disk is slow.
        let started = Instant::now();
        while !process.is_stopped() && started.elapsed() < STOP_TIMEOUT {
            pause(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A process that a fault may change, because it runs as the user of the fault.
    fn own_process(&self, pid: u32) -> anyhow::Result<ProcessIdentity> {
        let process = ProcessIdentity::read(pid)?;
        ensure!(process.runs_as(self.user), "process {pid} does not run as the user of the workload");
        Ok(process)
    }

    /// Creates an empty file: the one that `--path` names, or one with this name in the workload's
    /// folder, or in a new temporary folder. Returns its path with all links resolved, as the
    /// kernel shows it.
    ///
    /// # Errors
    /// If the file exists, cannot be created, or another user can replace it.
    pub fn create_own_file(&mut self, name: &str) -> anyhow::Result<PathBuf> {
        let file = match (&self.path, &self.workload) {
            (Some(path), _) => {
                let name = path.file_name().with_context(|| format!("`{}` must name a file", path.display()))?;
                let folder = absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
                trusted_folder::resolve(&folder)?.join(name)
            }
            (None, Some(workload)) => workload.folder.join(name),
            (None, None) => self.temporary_folder()?.join(name),
        };
        self.create_file(&file)?;
        Ok(file)
    }

    /// Creates an empty file.
    ///
    /// # Errors
    /// If the file exists, or cannot be created.
    pub fn create_file(&mut self, file: &Path) -> anyhow::Result<()> {
        let user = self.user;
        let context = || format!("cannot create `{}`", file.display());
        // Create it under a unique name first: an undo step must never remove a file that existed.
        let new = file.with_file_name(format!(".detective-fault-{}", std::process::id()));
        self.guard.add(UndoStep::RemoveFile { file: new.clone(), user })?;
        let created = user.run(|| File::options().write(true).create_new(true).mode(0o600).open(&new))?;
        if created.is_err() {
            self.guard.remove_last()?;
        }
        let created = created.hint_from(|error| leftover_hint(error, "rm", &new)).with_context(context)?;
        let metadata = created.metadata().with_context(context)?;
        let device = metadata.dev();
        let inode = metadata.ino();
        self.guard.add(UndoStep::RemoveInode { file: file.to_owned(), user, device, inode })?;
        user.run(|| fs::hard_link(&new, file))?.hint_from(hard_link_hint).with_context(context)?;
        user.run(|| fs::remove_file(&new))?.with_context(context)
    }

    /// The temporary folder of this fault, which only its owner can enter.
    fn temporary_folder(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let parent = trusted_folder::resolve(&std::env::temp_dir())?;
        let folder = parent.join(format!("detective-fault-{}", std::process::id()));
        self.guard.add(UndoStep::RemoveFolder(folder.clone()))?;
        let created = DirBuilder::new().mode(0o700).create(&folder);
        if created.is_err() {
            self.guard.remove_last()?;
        }
        let created = created.hint_from(|error| leftover_hint(error, "rm -r", &folder));
        created.with_context(|| format!("cannot create the folder `{}`", folder.display()))?;
        self.folder = Some(folder.clone());
        Ok(folder)
    }

    /// Creates a control group with these settings, and returns its folder.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn create_cgroup(&mut self, controller: &Controller, settings: &[(&str, String)]) -> anyhow::Result<PathBuf> {
        let group = controller.group(&format!("detective-fault-{}", std::process::id()));
        self.guard.add(UndoStep::RemoveCgroup { group: group.clone(), to: controller.root().to_owned() })?;
        let created = fs::create_dir(&group);
        if created.is_err() {
            self.guard.remove_last()?;
        }
        let created = created.hint_from(|error| leftover_hint(error, "rmdir", &group));
        created.with_context(|| format!("cannot create the control group `{}`", group.display()))?;
        for (file, value) in settings {
            let file = group.join(file);
            fs::write(&file, value).with_context(|| format!("cannot write `{value}` to `{}`", file.display()))?;
        }
        Ok(group)
    }

    /// Moves a helper or a process of the workload to a control group until the fault is undone.
    ///
    /// # Errors
    /// If the kernel refuses, or the process does not run as the workload's user.
    pub fn move_to_cgroup(&mut self, controller: &Controller, group: &Path, pid: u32) -> anyhow::Result<()> {
        let process = self.own_process(pid)?;
        let to = controller.group_of(pid)?;
        self.guard.add(UndoStep::LeaveCgroup { pid, from: group.to_owned(), to })?;
        undo::move_to_cgroup(group, pid)?;
        // The kernel has no way to move a process but by pid, which another one may have by now.
        ensure!(ProcessIdentity::read(pid).is_ok_and(|now| now == process), "process {pid} was replaced");
        Ok(())
    }

    /// Freezes all processes of a control group.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn freeze_cgroup(&mut self, group: &Path) -> anyhow::Result<()> {
        self.guard.add(UndoStep::ThawCgroup(group.to_owned()))?;
        undo::set_frozen(group, true)
    }

    /// Inserts a firewall rule before all others.
    ///
    /// # Errors
    /// If the rule exists, or `iptables` refuses it.
    pub fn add_firewall_rule(&mut self, rule: Vec<String>) -> anyhow::Result<()> {
        undo::check_rule_is_absent(&rule)?;
        self.guard.add(UndoStep::DeleteRule(rule.clone()))?;
        // `iptables` holds the guard's pipe. If this process is killed now, the guard waits for the
        // tool to finish and then deletes the rule.
        undo::insert_rule(&rule, self.guard.hold_pipe()?)
    }
}

/// The hint if a name is taken by what an earlier fault left behind.
fn leftover_hint(error: &io::Error, command: &str, path: &Path) -> Option<String> {
    let exists = error.kind() == ErrorKind::AlreadyExists;
    exists.then(|| format!("remove what an earlier fault left behind: `{command} {}`", path.display()))
}

/// The hint if a file cannot have a second name.
fn hard_link_hint(error: &io::Error) -> Option<&'static str> {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported)
        .then_some("the filesystem may not support hard links: use another one, by `--path FILE` or `TMPDIR`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_name_gets_a_hint_to_remove_the_leftover() {
        let folder = tempfile::tempdir().unwrap();
        let exists = fs::create_dir(folder.path()).unwrap_err();
        let hint = leftover_hint(&exists, "rmdir", Path::new("/sys/fs/cgroup/detective-fault-7")).unwrap();
        assert!(hint.ends_with("`rmdir /sys/fs/cgroup/detective-fault-7`"), "{hint}");
        let missing = fs::create_dir(folder.path().join("a/b")).unwrap_err();
        assert_eq!(leftover_hint(&missing, "rmdir", folder.path()), None);
    }

    #[test]
    fn a_filesystem_without_hard_links_gets_a_hint() {
        const EPERM: i32 = 1;
        assert!(hard_link_hint(&io::Error::from_raw_os_error(EPERM)).is_some());
        assert!(hard_link_hint(&io::Error::from(ErrorKind::AlreadyExists)).is_none());
    }
}
