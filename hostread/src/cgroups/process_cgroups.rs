//! The control groups that a process is in: one in each hierarchy, and often the same path in all.

use std::hash::{DefaultHasher, Hasher};

use crate::parse::{self, cgroup};

/// A tree of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hierarchy {
    /// Of all controllers, version 2.
    V2,
    /// Of CPU quotas, version 1 as the rest.
    Cpu,
    /// Of CPU use.
    CpuAccounting,
    /// Of memory.
    Memory,
    /// Of block I/O.
    Io,
    /// Of the number of processes.
    Pids,
    /// Of freezing.
    Freezer,
    /// Of systemd's own, without a controller.
    Systemd,
}

impl Hierarchy {
    /// The old hierarchies, by the word that the kernel has for each.
    pub const V1: [(Hierarchy, &str); 7] = [
        (Hierarchy::Cpu, "cpu"),
        (Hierarchy::CpuAccounting, "cpuacct"),
        (Hierarchy::Memory, "memory"),
        (Hierarchy::Io, "blkio"),
        (Hierarchy::Pids, "pids"),
        (Hierarchy::Freezer, "freezer"),
        (Hierarchy::Systemd, "name=systemd"),
    ];

    fn of_controllers(controllers: &[u8]) -> Hierarchies {
        if controllers.is_empty() {
            return Hierarchies::only(Hierarchy::V2);
        }
        let words = || controllers.split(|byte| *byte == b',');
        let named = Hierarchy::V1.iter().filter(|(_, word)| words().any(|controller| controller == word.as_bytes()));
        named.fold(Hierarchies::default(), |all, (hierarchy, _)| all.union(Hierarchies::only(*hierarchy)))
    }
}

/// Some of the hierarchies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies(u8);

impl Hierarchies {
    /// That one alone.
    #[inline]
    pub fn only(hierarchy: Hierarchy) -> Hierarchies {
        Hierarchies(1 << hierarchy as u8)
    }

    /// Whether that one is among them.
    #[inline]
    pub fn contains(self, hierarchy: Hierarchy) -> bool {
        self.0 & (1 << hierarchy as u8) != 0
    }

    /// These and those.
    #[inline]
    pub fn union(self, other: Hierarchies) -> Hierarchies {
        Hierarchies(self.0 | other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A group that a process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessCgroup {
    /// Its path.
    pub path: String,
    /// The hierarchies in which it is there.
    pub hierarchies: Hierarchies,
    /// Whether none of the process's other groups is below it.
    pub is_innermost: bool,
}

/// All groups of a process, one for each path, the one that says most first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessCgroups {
    groups: Vec<ProcessCgroup>,
    // A hash of what told them: most of the time it says the same again.
    text_hash: u64,
}

impl ProcessCgroups {
    /// The groups that `/proc/PID/cgroup` tells. The root is one only where there is no other.
    pub fn parse(text: &[u8]) -> ProcessCgroups {
        let mut groups = Vec::<ProcessCgroup>::new();
        for (controllers, path) in cgroup::parse_memberships(text) {
            let hierarchies = Hierarchy::of_controllers(controllers);
            if hierarchies.is_empty() {
                continue;
            }
            let path = parse::text(path);
            match groups.iter_mut().find(|group| group.path == path) {
                Some(group) => group.hierarchies = group.hierarchies.union(hierarchies),
                None => groups.push(ProcessCgroup { path, hierarchies, is_innermost: true }),
            }
        }
        if groups.len() > 1 {
            groups.retain(|group| group.path != "/");
        }
        let paths: Vec<String> = groups.iter().map(|group| format!("{}/", group.path)).collect();
        for (group, path) in groups.iter_mut().zip(&paths) {
            group.is_innermost = !paths.iter().any(|other| other != path && other.starts_with(path.as_str()));
        }
        let main = parse::process::parse_main_cgroup(text).map(parse::text);
        groups.sort_by_key(|group| main.as_ref() != Some(&group.path));
        ProcessCgroups { groups, text_hash: hash(text) }
    }

    /// The groups.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, ProcessCgroup> {
        self.groups.iter()
    }

    /// Whether it was made from that very text.
    pub fn is_from(&self, text: &[u8]) -> bool {
        self.text_hash == hash(text)
    }
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

/// The path of the group around that one; none around a root, or where it is not known because it is beyond this process's
/// namespace of control groups.
#[inline]
pub fn parent(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    let is_root = parent.is_empty() || parent.ends_with("/..");
    match path {
        "/" => None,
        _ if path.ends_with("/..") => None,
        _ if is_root => Some("/").filter(|_| parent.is_empty()),
        _ => Some(parent),
    }
}

/// The paths of all groups around that one, from the inside out.
#[inline]
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(text: &str) -> Vec<(String, Vec<Hierarchy>, bool)> {
        let all = Hierarchy::V1.iter().map(|(hierarchy, _)| *hierarchy).chain([Hierarchy::V2]);
        let of =
            |place: &ProcessCgroup| all.clone().filter(|hierarchy| place.hierarchies.contains(*hierarchy)).collect();
        let membership = ProcessCgroups::parse(text.as_bytes());
        membership.iter().map(|place| (place.path.clone(), of(place), place.is_innermost)).collect()
    }

    #[test]
    fn the_same_path_in_several_hierarchies_is_one_group() {
        use Hierarchy::*;
        let text = "9:cpuset:/x\n4:cpu,cpuacct:/a\n3:memory:/a/b\n2:pids:/\n1:name=systemd:/a/b\n0::/a/b\n";
        let inner = ("/a/b".into(), vec![Memory, Systemd, V2], true);
        assert_eq!(groups(text), [inner, ("/a".into(), vec![Cpu, CpuAccounting], false)]);
    }

    #[test]
    fn the_root_is_a_group_only_where_there_is_no_other() {
        assert_eq!(groups("0::/\n"), [("/".into(), vec![Hierarchy::V2], true)]);
        assert_eq!(groups("1:cpu:/ab\n0::/\n"), [("/ab".into(), vec![Hierarchy::Cpu], true)]);
    }

    #[test]
    fn beyond_the_own_namespace_nothing_is_known() {
        let parents = ["/a/b", "/a", "/", "/../a/b", "/../a", "/../..", "/.."].map(parent);
        assert_eq!(parents, [Some("/a"), Some("/"), None, Some("/../a"), None, None, None]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200), path in "[/.a]{0,9}") {
            let _ = (ProcessCgroups::parse(&text), parent(&path));
        }
    }
}
