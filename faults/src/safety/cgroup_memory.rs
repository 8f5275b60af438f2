//! The memory that control groups leave to a process.

use std::path::{Path, PathBuf};

/// The memory files of one version of control groups.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// Key of `memory.stat`: reclaimable page cache of a group and all groups below it.
    inactive: &'static str,
}

const V1: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file" };
const V2: Files = Files { limit: "memory.max", usage: "memory.current", inactive: "inactive_file" };

/// Memory available to the process with this `/proc/PID/cgroup`, in bytes: the minimum over its
/// groups and their ancestors. `None` if none of them has a limit.
pub fn available(mount_point: &Path, proc_cgroup: &str) -> Option<u64> {
    let lines = proc_cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    lines.flat_map(|(controllers, path)| available_in_hierarchy(mount_point, controllers, path)).min()
}

fn available_in_hierarchy(mount_point: &Path, controllers: &str, path: &str) -> Vec<u64> {
    let (roots, files) = if controllers.is_empty() {
        (vec![mount_point.to_owned(), mount_point.join("unified")], &V2)
    } else if controllers.split(',').any(|name| name == "memory") {
        (vec![mount_point.join("memory")], &V1)
    } else {
        return Vec::new();
    };
    let groups = roots.iter().flat_map(|root| group_and_ancestors(root, path));
    groups.filter_map(|group| available_in_group(&group, files)).collect()
}

/// The folders of a group and its ancestors, up to the root of the hierarchy. In a container, the
/// path may be the host's: then only the root exists.
fn group_and_ancestors(root: &Path, path: &str) -> Vec<PathBuf> {
    let group = root.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
}

fn available_in_group(group: &Path, files: &Files) -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(group.join(file)).ok();
    // A value that is no number, such as `max`, is no limit.
    let limit: u64 = read(files.limit)?.trim().parse().ok()?;
    let usage: u64 = read(files.usage)?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let inactive = stat.lines().find_map(|line| line.strip_prefix(files.inactive)?.trim().parse::<u64>().ok());
    Some(limit.saturating_sub(usage).saturating_add(inactive.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A hierarchy of groups, given as folders with files and their content.
    fn hierarchy(groups: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let mount_point = tempfile::tempdir().unwrap();
        for (folder, files) in groups {
            let folder = mount_point.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in *files {
                fs::write(folder.join(file), text).unwrap();
            }
        }
        mount_point
    }

    #[track_caller]
    fn check(groups: &[(&str, &[(&str, &str)])], proc_cgroup: &str, expected: Option<u64>) {
        assert_eq!(available(hierarchy(groups).path(), proc_cgroup), expected);
    }

    #[test]
    fn the_group_with_the_least_available_memory_counts() {
        let unlimited: &[(&str, &str)] = &[("memory.max", "max\n"), ("memory.current", "700\n")];
        let parent: &[(&str, &str)] =
            &[("memory.max", "1000\n"), ("memory.current", "900\n"), ("memory.stat", "anon 5\ninactive_file 300\n")];
        let own: &[(&str, &str)] = &[("memory.max", "800\n"), ("memory.current", "100\n")];
        check(&[("a", parent), ("a/b", own)], "0::/a/b\n", Some(400));
        check(&[("a", unlimited), ("a/b", own)], "0::/a/b\n", Some(700));
        check(&[("a", unlimited)], "0::/a\n", None);
        check(&[("unified/a", own)], "0::/a\n", Some(700));
    }

    #[test]
    fn version_1_has_a_separate_hierarchy_for_memory() {
        let limited: &[(&str, &str)] = &[
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "1200\n"),
            ("memory.stat", "inactive_file 7\ntotal_inactive_file 50\n"),
        ];
        check(&[("memory/a", limited)], "4:memory:/a/b\n1:cpu:/c\n0::/\n", Some(50));
        // In a container whose path is the host's: the root is the container's own group.
        check(&[("memory", limited)], "4:memory:/docker/7f\n", Some(50));
        check(&[("memory/a", limited)], "1:cpu:/a\n", None);
    }
}
