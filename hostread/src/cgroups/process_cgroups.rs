//! The control groups that a process is in.

use std::hash::{DefaultHasher, Hasher};

use super::hierarchy::Hierarchies;
use crate::parse::{self, cgroup};

/// A control group that a process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessCgroup {
    /// Path of the group as text (see [`parse::text`]), the same in all of `hierarchies`.
    pub path: String,
    /// The hierarchies in which the process is in a group of that path.
    pub hierarchies: Hierarchies,
    /// Whether none of the process's other groups is below it.
    pub is_innermost: bool,
}

/// All control groups of a process. A process is in one group per hierarchy; groups with the same
/// path count as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessCgroups {
    groups: Vec<ProcessCgroup>,
    // Hash of the text that was parsed. The text rarely changes, so it is not parsed again.
    text_hash: u64,
}

impl ProcessCgroups {
    /// Parses `/proc/PID/cgroup`. The most specific group comes first (see
    /// [`parse_main_cgroup`](parse::process::parse_main_cgroup)). The root counts only if there is
    /// no other group.
    pub fn parse(text: &[u8]) -> ProcessCgroups {
        let mut groups = Vec::<ProcessCgroup>::new();
        for (controllers, path) in cgroup::parse_memberships(text) {
            let hierarchies = Hierarchies::from_controllers(controllers);
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

    /// The groups, the most specific first.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, ProcessCgroup> {
        self.groups.iter()
    }

    /// Whether this is what [`parse`](ProcessCgroups::parse) returns for `text`.
    pub fn is_from(&self, text: &[u8]) -> bool {
        self.text_hash == hash(text)
    }
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Hierarchy, *};

    fn groups(text: &str) -> Vec<(String, Vec<Hierarchy>, bool)> {
        let all = Hierarchy::V1.iter().map(|(hierarchy, _)| *hierarchy).chain([Hierarchy::V2]);
        let hierarchies =
            |group: &ProcessCgroup| all.clone().filter(|hierarchy| group.hierarchies.contains(*hierarchy)).collect();
        let groups = ProcessCgroups::parse(text.as_bytes());
        groups.iter().map(|group| (group.path.clone(), hierarchies(group), group.is_innermost)).collect()
    }

    #[test]
    fn the_same_path_in_several_hierarchies_is_one_group() {
        use Hierarchy::*;
        let text = "9:cpuset:/x\n4:cpu,cpuacct:/a\n3:memory:/a/b\n2:pids:/\n1:name=systemd:/a/b\n0::/a/b\n";
        let inner = ("/a/b".into(), vec![Memory, Systemd, V2], true);
        assert_eq!(groups(text), [inner, ("/a".into(), vec![Cpu, CpuAccounting], false)]);
    }

    #[test]
    fn the_root_counts_only_if_there_is_no_other_group() {
        assert_eq!(groups("0::/\n"), [("/".into(), vec![Hierarchy::V2], true)]);
        assert_eq!(groups("1:cpu:/ab\n0::/\n"), [("/ab".into(), vec![Hierarchy::Cpu], true)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ProcessCgroups::parse(&text);
        }
    }
}
