//! Where the hierarchies of control groups are mounted, and the directory of a group in each.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use procfs::{FromRead, process::MountInfos};

use super::{
    process_cgroups::{Hierarchies, Hierarchy},
    usage::OpenCgroup,
};
use crate::{directory::Directory, proc_root::ProcRoot, seen::Seen};

/// The hierarchies below one directory.
#[derive(Default)]
pub struct CgroupMounts {
    mounts: BTreeMap<Hierarchy, Mount>,
    /// Whether the top of the unified hierarchy is a group like any other, as in a container that has a namespace of its own.
    pub root_is_a_group: bool,
}

struct Mount {
    directory: Directory,
    path: PathBuf,
    // The group that is mounted, seen from this process's namespace.
    top: String,
}

impl CgroupMounts {
    /// Looks what is mounted there: the unified hierarchy, or old ones and perhaps the unified one beside them.
    pub fn detect(path: &Path, root: &ProcRoot, buffer: &mut Vec<u8>) -> CgroupMounts {
        let Seen::Here(directory) = Directory::open(path, &root.tape) else { return CgroupMounts::default() };
        let tops = tops(root, buffer);
        let mount = |path: PathBuf, directory| {
            let top = tops.get(&path).cloned().unwrap_or_else(|| "/".to_owned());
            Mount { directory, path, top }
        };
        let mut mounts = BTreeMap::new();
        if is_unified(&directory) {
            mounts.insert(Hierarchy::V2, mount(path.to_owned(), directory));
        } else {
            if let Seen::Here(unified) = directory.open_dir("unified")
                && is_unified(&unified)
            {
                mounts.insert(Hierarchy::V2, mount(path.join("unified"), unified));
            }
            for (hierarchy, word) in Hierarchy::V1 {
                if let Some((name, directory)) = old(&directory, word) {
                    mounts.insert(hierarchy, mount(path.join(name), directory));
                }
            }
        }
        let top = mounts.get(&Hierarchy::V2);
        let top_is_a_group = top.is_some_and(|mount| has(&mount.directory, "cgroup.events"));
        CgroupMounts { mounts, root_is_a_group: top_is_a_group }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Whether that one is there.
    pub fn has(&self, hierarchy: Hierarchy) -> bool {
        self.mounts.contains_key(&hierarchy)
    }

    /// The directories of the group with that path in those hierarchies that are mounted. `Denied` where the group is not below what
    /// is mounted.
    pub fn open(&self, path: &str, hierarchies: Hierarchies) -> OpenCgroup {
        let wanted = self.mounts.iter().filter(|(hierarchy, _)| hierarchies.contains(**hierarchy));
        let open = |mount: &Mount| match below(&mount.top, path) {
            Some(name) => mount.directory.open_dir(name),
            None => Seen::Denied,
        };
        OpenCgroup(wanted.map(|(hierarchy, mount)| (*hierarchy, open(mount))).collect())
    }

    /// The path of a group's file, for evidence.
    pub fn path(&self, hierarchy: Hierarchy, group: &str, file: &str) -> Option<PathBuf> {
        let mount = self.mounts.get(&hierarchy)?;
        Some(mount.path.join(below(&mount.top, group)?).join(file))
    }
}

/// The name of a group, relative to the directory where `top` is mounted; none if it is not below that.
fn below<'p>(top: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(top.trim_end_matches('/'))?;
    if !(rest.is_empty() || rest.starts_with('/')) || rest.split('/').any(|part| part == "..") {
        return None;
    }
    let name = rest.trim_start_matches('/');
    Some(if name.is_empty() { "." } else { name })
}

/// The directory of an old hierarchy, and its name. systemd mounts `cpu,cpuacct` and links the names of both to it.
fn old(directory: &Directory, word: &str) -> Option<(&'static str, Directory)> {
    let names: &[&str] = match word {
        "cpu" => &["cpu,cpuacct", "cpuacct,cpu", "cpu"],
        "cpuacct" => &["cpu,cpuacct", "cpuacct,cpu", "cpuacct"],
        "memory" => &["memory"],
        "blkio" => &["blkio"],
        "pids" => &["pids"],
        "freezer" => &["freezer"],
        // It tells who is in a group, which the processes tell themselves.
        _ => &[],
    };
    names.iter().find_map(|name| {
        let directory = directory.open_dir(name).here()?;
        // An empty directory is one where nothing is mounted.
        has(&directory, "cgroup.procs").then_some((*name, directory))
    })
}

fn is_unified(directory: &Directory) -> bool {
    has(directory, "cgroup.controllers")
}

fn has(directory: &Directory, name: &str) -> bool {
    matches!(directory.link_mode(name), Seen::Here(_))
}

/// Which directory of its file system each mount shows. In a container it is a part, or is above the container's own namespace.
fn tops(root: &ProcRoot, buffer: &mut Vec<u8>) -> BTreeMap<PathBuf, String> {
    let mounts = root.directory.read("self/mountinfo", buffer).here();
    let mounts = mounts.and_then(|text| MountInfos::from_read(text).ok()).map(|mounts| mounts.0).unwrap_or_default();
    let is_cgroup = |kind: &str| matches!(kind, "cgroup" | "cgroup2");
    let of_cgroups = mounts.into_iter().filter(|mount| is_cgroup(&mount.fs_type));
    of_cgroups.map(|mount| (mount.mount_point, mount.root)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_what_is_mounted_and_nowhere_else() {
        for (top, path, expected) in [
            ("/", "/a/b", Some("a/b")),
            ("/", "/", Some(".")),
            ("/", "/../a", None),
            ("/docker/x", "/docker/x/init", Some("init")),
            ("/docker/x", "/docker/x", Some(".")),
            ("/docker/x", "/docker/xy", None),
            ("/../..", "/../../system.slice/a", Some("system.slice/a")),
            ("/../..", "/../..", Some(".")),
            // What is between the mount's top and this process's namespace has no name here.
            ("/../..", "/../a", None),
            ("/../..", "/a", None),
            ("/..", "/../../a", None),
        ] {
            assert_eq!(below(top, path), expected, "{path} below {top}");
        }
    }
}
