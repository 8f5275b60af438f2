//! Control groups of a fault's own, in version 1 or 2, into which processes are put for a while.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where all hierarchies are mounted.
pub const MOUNTED: &str = "/sys/fs/cgroup";

/// A controller, where it is mounted.
#[derive(Clone, Debug)]
pub struct Controller {
    name: &'static str,
    root: PathBuf,
    /// Whether all controllers have one hierarchy, as in version 2.
    unified: bool,
}

impl Controller {
    /// Finds it, if this kernel has it and groups below the root may use it.
    pub fn find(name: &'static str) -> Option<Controller> {
        let own = Path::new(MOUNTED).join(name);
        if own.join("cgroup.clone_children").exists() {
            return Some(Controller { name, root: own, unified: false });
        }
        let roots = [Path::new(MOUNTED).to_owned(), Path::new(MOUNTED).join("unified")];
        let has = |root: &PathBuf| {
            let given = std::fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
            given.split_ascii_whitespace().any(|given| given == name)
        };
        roots.into_iter().find(has).map(|root| Controller { name, root, unified: true })
    }

    /// Whether it is of version 2.
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// The folder of a group directly below the root.
    pub fn group(&self, named: &str) -> PathBuf {
        self.root.join(named)
    }

    /// The folder at the root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the group that a process is in; the root where that is not shown here.
    ///
    /// # Errors
    /// If it is gone.
    pub fn group_of(&self, pid: u32) -> anyhow::Result<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
        let text = text.with_context(|| format!("cannot read the control groups of process {pid}"))?;
        let path = self.path_in(&text).map(|path| self.root.join(path.trim_start_matches('/')));
        Ok(path.filter(|path| path.is_dir()).unwrap_or_else(|| self.root.clone()))
    }

    /// The path of this hierarchy in `/proc/PID/cgroup`, whose lines are `ID:CONTROLLERS:PATH`.
    fn path_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let wanted = if self.unified { "" } else { self.name };
        let fields = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let mut here = fields.filter(|(controllers, _)| controllers.split(',').any(|name| name == wanted));
        here.next().map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_line() {
        let text = "5:cpu,cpuacct:/web:1\n3:memory:/\n0::/user.slice\n";
        let controller = |name, unified| Controller { name, root: MOUNTED.into(), unified };
        assert_eq!(controller("cpu", false).path_in(text), Some("/web:1"));
        assert_eq!(controller("memory", true).path_in(text), Some("/user.slice"));
        assert_eq!(controller("freezer", false).path_in(text), None);
    }
}
