//! Where the hierarchies of control groups are mounted.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    hierarchy::{Hierarchies, Hierarchy},
    usage::OpenCgroup,
};
use crate::{directory::Directory, parse, proc_root::ProcRoot, seen::Seen};

/// The mounted hierarchies of control groups.
#[derive(Default)]
pub struct CgroupMounts {
    mounts: BTreeMap<Hierarchy, Mount>,
    /// Whether the root of the version 2 hierarchy is a group with limits and usage of its own, as
    /// in a container with its own cgroup namespace.
    pub root_is_a_group: bool,
}

struct Mount {
    directory: Directory,
    path: PathBuf,
    // The path of the mounted group as text, relative to this process's cgroup namespace.
    group: String,
}

impl CgroupMounts {
    /// Finds the hierarchies that are mounted at `path`: version 2, or version 1, with or without
    /// version 2 in `unified`.
    pub fn detect(path: &Path, root: &ProcRoot, buffer: &mut Vec<u8>) -> CgroupMounts {
        let Seen::Here(directory) = Directory::open(path, &root.tape) else { return CgroupMounts::default() };
        let groups = mounted_groups(root, buffer);
        let mount = |path: PathBuf, directory| {
            let group = groups.get(&path).cloned().unwrap_or_else(|| "/".to_owned());
            Mount { directory, path, group }
        };
        let mut mounts = BTreeMap::new();
        if is_v2(&directory) {
            mounts.insert(Hierarchy::V2, mount(path.to_owned(), directory));
        } else {
            if let Seen::Here(unified) = directory.open_dir("unified")
                && is_v2(&unified)
            {
                mounts.insert(Hierarchy::V2, mount(path.join("unified"), unified));
            }
            for (hierarchy, controller) in Hierarchy::V1 {
                if let Some((name, directory)) = open_v1(&directory, controller) {
                    mounts.insert(hierarchy, mount(path.join(name), directory));
                }
            }
        }
        // A root that is no group has no such file.
        let root_mount = mounts.get(&Hierarchy::V2);
        let root_is_a_group = root_mount.is_some_and(|mount| has_file(&mount.directory, "cgroup.events"));
        CgroupMounts { mounts, root_is_a_group }
    }

    /// Whether no hierarchy is mounted.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Whether a hierarchy is mounted.
    pub fn contains(&self, hierarchy: Hierarchy) -> bool {
        self.mounts.contains_key(&hierarchy)
    }

    /// Opens the directories of the group at `path`, a text from [`parse::path_text`], in those of
    /// `hierarchies` that are mounted. A directory is `Denied` if the group is not below the
    /// mounted one.
    pub fn open(&self, path: &str, hierarchies: Hierarchies) -> OpenCgroup {
        let wanted = self.mounts.iter().filter(|(hierarchy, _)| hierarchies.contains(**hierarchy));
        let open = |mount: &Mount| match relative_path(&mount.group, path) {
            Some(name) => mount.directory.open_dir(parse::path_from_text(name)),
            None => Seen::Denied,
        };
        OpenCgroup::new(wanted.map(|(hierarchy, mount)| (*hierarchy, open(mount))).collect())
    }

    /// The path of a file of a group, for evidence.
    pub fn file_path(&self, hierarchy: Hierarchy, group: &str, file: &str) -> Option<PathBuf> {
        let mount = self.mounts.get(&hierarchy)?;
        Some(mount.path.join(relative_path(&mount.group, group)?).join(file))
    }
}

/// The path of a group, relative to the directory where the group `top` is mounted. `None` if it is
/// not below `top`.
fn relative_path<'p>(top: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(top.trim_end_matches('/'))?;
    if !(rest.is_empty() || rest.starts_with('/')) || rest.split('/').any(|part| part == "..") {
        return None;
    }
    let name = rest.trim_start_matches('/');
    Some(if name.is_empty() { "." } else { name })
}

/// Opens the directory of a controller of version 1. Returns its name too: systemd mounts
/// `cpu,cpuacct` and links both names to it.
fn open_v1(directory: &Directory, controller: &str) -> Option<(&'static str, Directory)> {
    let names: &[&str] = match controller {
        "cpu" => &["cpu,cpuacct", "cpuacct,cpu", "cpu"],
        "cpuacct" => &["cpu,cpuacct", "cpuacct,cpu", "cpuacct"],
        "memory" => &["memory"],
        "blkio" => &["blkio"],
        "pids" => &["pids"],
        "freezer" => &["freezer"],
        // systemd's tree has no usage or limits.
        _ => &[],
    };
    names.iter().find_map(|name| {
        let directory = directory.open_dir(name).here()?;
        // Nothing is mounted at an empty directory.
        has_file(&directory, "cgroup.procs").then_some((*name, directory))
    })
}

fn is_v2(directory: &Directory) -> bool {
    has_file(directory, "cgroup.controllers")
}

fn has_file(directory: &Directory, name: &str) -> bool {
    matches!(directory.link_mode(name), Seen::Here(_))
}

/// The group that each mount shows. In a container it is not the root of the hierarchy, or it is
/// above the container's cgroup namespace.
fn mounted_groups(root: &ProcRoot, buffer: &mut Vec<u8>) -> BTreeMap<PathBuf, String> {
    let text = root.directory.read("self/mountinfo", buffer).here().unwrap_or_default();
    let mounts = parse::mounts::parse_mountinfo(text);
    let mounts = mounts.filter(|mount| matches!(mount.fs_type.as_str(), "cgroup" | "cgroup2"));
    mounts.map(|mount| (mount.path, parse::path_text(&mount.root))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_only_below_the_mounted_group() {
        for (top, path, expected) in [
            ("/", "/a/b", Some("a/b")),
            ("/", "/", Some(".")),
            ("/", "/../a", None),
            ("/docker/x", "/docker/x/init", Some("init")),
            ("/docker/x", "/docker/x", Some(".")),
            ("/docker/x", "/docker/xy", None),
            ("/../..", "/../../system.slice/a", Some("system.slice/a")),
            ("/../..", "/../..", Some(".")),
            // Groups between the mounted one and this process's namespace have no known path.
            ("/../..", "/../a", None),
            ("/../..", "/a", None),
            ("/..", "/../../a", None),
        ] {
            assert_eq!(relative_path(top, path), expected, "{path} below {top}");
        }
    }
}
