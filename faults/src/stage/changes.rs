//! What a fault changes beside its own processes, each with the guard told of it before.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf, absolute},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::Signal;
use service::Hint;

use super::{Event, Stage};
use crate::{
    group::Controller,
    part::pause,
    shop,
    undo::{self, Undo},
    who::Who,
};

/// Nobody waits longer for a process to stand still.
const SOON: Duration = Duration::from_secs(1);

impl Stage {
    /// Orders a bug of a part of the shop, such as `leak 25`. The fault fails if the part ends it sooner.
    ///
    /// # Errors
    /// If the part does not take it.
    pub fn order(&mut self, part: &shop::Part, bug: &str) -> anyhow::Result<()> {
        let order = self.send_order(part, bug)?;
        let (sender, name) = (self.sender(), part.name.clone());
        order.watch(move || {
            // Nobody hears it any more if the fault is over, which ends its orders.
            let _ = sender.send(Event::OrderEnded(name));
        })?;
        self.orders.push(order);
        Ok(())
    }

    /// The same, of a part that may die of it or be done before the fault is over.
    ///
    /// # Errors
    /// If the part does not take it.
    pub fn order_what_may_end(&mut self, part: &shop::Part, bug: &str) -> anyhow::Result<()> {
        let order = self.send_order(part, bug)?;
        self.orders.push(order);
        Ok(())
    }

    fn send_order(&self, part: &shop::Part, bug: &str) -> anyhow::Result<shop::Order> {
        // The connection is what ends it; the seconds are for the case that this process hangs.
        const MARGIN: u64 = 5;
        shop::order(part, bug, self.hold.as_secs() + MARGIN)
    }

    /// Has a process stand still.
    ///
    /// # Errors
    /// If that is not allowed, or it is gone.
    pub fn stop(&mut self, pid: u32) -> anyhow::Result<()> {
        let who = Who::of(pid)?;
        self.guard.tell(Undo::Continue(who))?;
        who.signal(Signal::STOP)?;
        // Each thread stops when it comes to it; one that waits for a disk does not hurry.
        let begun = Instant::now();
        while !who.is_stopped() && begun.elapsed() < SOON {
            pause(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Makes an empty file: the one that `--path` names, or one of this name in a new temporary folder. Gives its path as the
    /// kernel tells it.
    ///
    /// # Errors
    /// If it is there already, or cannot be made.
    pub fn file(&mut self, named: &str) -> anyhow::Result<PathBuf> {
        let file = match &self.path {
            Some(path) => {
                let name = path.file_name().with_context(|| format!("`{}` must name a file", path.display()))?;
                let folder = absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
                folder.canonicalize().with_context(|| format!("cannot find `{}`", folder.display()))?.join(name)
            }
            None => self.folder()?.join(named),
        };
        self.make_file(&file)?;
        Ok(file)
    }

    /// Makes an empty file there.
    ///
    /// # Errors
    /// If it is there already, or cannot be made.
    pub fn make_file(&mut self, file: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot make `{}`", file.display());
        // By a name that nobody else has, so that what may be there already is never what is removed.
        let new = file.with_file_name(format!(".detective-fault-{}", std::process::id()));
        self.guard.tell(Undo::RemoveFile(new.clone()))?;
        let made = File::options().write(true).create_new(true).mode(0o600).open(&new);
        if made.is_err() {
            self.guard.forget()?;
        }
        let made = made.hint_from(|error| remedy(error, "rm", &new)).with_context(cannot)?;
        let made = made.metadata().with_context(cannot)?;
        let (device, inode) = (made.dev(), made.ino());
        self.guard.tell(Undo::RemoveOwn { file: file.to_owned(), device, inode })?;
        fs::hard_link(&new, file).hint_from(remedy_of_link).with_context(cannot)?;
        fs::remove_file(&new).with_context(cannot)
    }

    /// A temporary folder that its owner alone can enter.
    fn folder(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let parent = std::env::temp_dir();
        let parent = parent.canonicalize().with_context(|| format!("cannot find `{}`", parent.display()))?;
        let folder = parent.join(format!("detective-fault-{}", std::process::id()));
        self.guard.tell(Undo::RemoveFolder(folder.clone()))?;
        let made = DirBuilder::new().mode(0o700).create(&folder);
        if made.is_err() {
            self.guard.forget()?;
        }
        let made = made.hint_from(|error| remedy(error, "rm -r", &folder));
        made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        self.folder = Some(folder.clone());
        Ok(folder)
    }

    /// Makes a control group with these settings, and gives its folder.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn group(&mut self, controller: &Controller, settings: &[(&str, String)]) -> anyhow::Result<PathBuf> {
        let group = controller.group(&format!("detective-fault-{}", std::process::id()));
        self.guard.tell(Undo::RemoveGroup { group: group.clone(), to: controller.root().to_owned() })?;
        let made = fs::create_dir(&group);
        if made.is_err() {
            self.guard.forget()?;
        }
        let made = made.hint_from(|error| remedy(error, "rmdir", &group));
        made.with_context(|| format!("cannot make the control group `{}`", group.display()))?;
        for (file, value) in settings {
            let file = group.join(file);
            fs::write(&file, value).with_context(|| format!("cannot write `{value}` to `{}`", file.display()))?;
        }
        Ok(group)
    }

    /// Puts a process into a group, until all is over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn confine(&mut self, controller: &Controller, group: &Path, pid: u32) -> anyhow::Result<()> {
        let to = controller.group_of(pid)?;
        self.guard.tell(Undo::Return { pid, from: group.to_owned(), to })?;
        undo::move_to(group, pid)
    }

    /// Has the packet filter follow a rule before all others.
    ///
    /// # Errors
    /// If it has that already, or does not take it.
    pub fn filter(&mut self, rule: Vec<String>) -> anyhow::Result<()> {
        undo::check_no_rule(&rule)?;
        self.guard.tell(Undo::DeleteRule(rule.clone()))?;
        // Should this process be killed now, the guard waits for the tool, and so deletes what that has added.
        undo::insert_rule(&rule, self.guard.held()?)
    }
}

/// What to do where something has the name that a fault gives: that of one which nobody was left to undo.
fn remedy(error: &io::Error, command: &str, path: &Path) -> Option<String> {
    let is_there = error.kind() == ErrorKind::AlreadyExists;
    is_there.then(|| format!("remove what is left of an earlier fault: `{command} {}`", path.display()))
}

/// What to do where a file cannot have a second name.
fn remedy_of_link(error: &io::Error) -> Option<&'static str> {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported)
        .then_some("its filesystem may have no hard links: choose a folder on another, by `--path FILE` or `TMPDIR`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_fault_has_left_is_to_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let there = fs::create_dir(folder.path()).unwrap_err();
        let told = remedy(&there, "rmdir", Path::new("/sys/fs/cgroup/detective-fault-7")).unwrap();
        assert!(told.ends_with("`rmdir /sys/fs/cgroup/detective-fault-7`"), "{told}");
        let missing = fs::create_dir(folder.path().join("a/b")).unwrap_err();
        assert_eq!(remedy(&missing, "rmdir", folder.path()), None);
    }

    #[test]
    fn a_filesystem_may_have_no_links() {
        const NOT_PERMITTED: i32 = 1;
        assert!(remedy_of_link(&io::Error::from_raw_os_error(NOT_PERMITTED)).is_some());
        assert!(remedy_of_link(&io::Error::from(ErrorKind::AlreadyExists)).is_none());
    }
}
