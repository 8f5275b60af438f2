//! Control groups that a fault creates, version 1 or 2, and moves processes to for a while.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where all hierarchies are mounted.
pub const MOUNT_POINT: &str = "/sys/fs/cgroup";

/// A controller and the root of its hierarchy.
#[derive(Clone, Debug)]
pub struct Controller {
    name: &'static str,
    root: PathBuf,
    /// Whether all controllers share one hierarchy (version 2).
    is_unified: bool,
}

impl Controller {
    /// Finds a controller, if this kernel has it and groups directly below the root can use it.
    pub fn find(name: &'static str) -> Option<Controller> {
        let v1_root = Path::new(MOUNT_POINT).join(name);
        if v1_root.join("cgroup.clone_children").exists() {
            return Some(Controller { name, root: v1_root, is_unified: false });
        }
        let v2_roots = [Path::new(MOUNT_POINT).to_owned(), Path::new(MOUNT_POINT).join("unified")];
        let is_enabled = |root: &PathBuf| {
            // Version 2 can freeze every group, without a controller.
            if name == "freezer" {
                return root.join("cgroup.controllers").exists();
            }
            let enabled = std::fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
            enabled.split_ascii_whitespace().any(|enabled| enabled == name)
        };
        v2_roots.into_iter().find(is_enabled).map(|root| Controller { name, root, is_unified: true })
    }

    /// Whether it is of version 2.
    pub fn is_unified(&self) -> bool {
        self.is_unified
    }

    /// Folder of the group with this name directly below the root.
    pub fn group(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Folder of the root group.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a process's group; the root if that group is not visible here.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn group_of(&self, pid: u32) -> anyhow::Result<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
        let text = text.with_context(|| format!("cannot read the control groups of process {pid}"))?;
        let path = self.path_in(&text).map(|path| self.root.join(path.trim_start_matches('/')));
        Ok(path.filter(|path| path.is_dir()).unwrap_or_else(|| self.root.clone()))
    }

    /// The path for this hierarchy in `/proc/PID/cgroup`, whose lines are `ID:CONTROLLERS:PATH`.
    fn path_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let expected = if self.is_unified { "" } else { self.name };
        let fields = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let mut matching = fields.filter(|(controllers, _)| controllers.split(',').any(|name| name == expected));
        matching.next().map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_own_line() {
        let text = "5:cpu,cpuacct:/web:1\n3:memory:/\n0::/user.slice\n";
        let controller = |name, is_unified| Controller { name, root: MOUNT_POINT.into(), is_unified };
        assert_eq!(controller("cpu", false).path_in(text), Some("/web:1"));
        assert_eq!(controller("memory", true).path_in(text), Some("/user.slice"));
        assert_eq!(controller("freezer", false).path_in(text), None);
    }
}
