//! What control groups leave a process of memory.

use std::path::{Path, PathBuf};

/// The files in which a version of control groups tells of memory.
struct Files {
    limit: &'static str,
    used: &'static str,
    /// In `memory.stat`: what of that can be read again, of a group and all below it.
    inactive: &'static str,
}

const FIRST: Files =
    Files { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", inactive: "total_inactive_file" };
const SECOND: Files = Files { limit: "memory.max", used: "memory.current", inactive: "inactive_file" };

/// What is left to the process with this `/proc/PID/cgroup`, in bytes: the least of what its groups and those above them leave.
/// None if none of them has a limit.
pub fn left(mounted: &Path, groups: &str) -> Option<u64> {
    let lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    lines.flat_map(|(controllers, path)| left_in_hierarchy(mounted, controllers, path)).min()
}

fn left_in_hierarchy(mounted: &Path, controllers: &str, path: &str) -> Vec<u64> {
    let (roots, files) = if controllers.is_empty() {
        (vec![mounted.to_owned(), mounted.join("unified")], &SECOND)
    } else if controllers.split(',').any(|name| name == "memory") {
        (vec![mounted.join("memory")], &FIRST)
    } else {
        return Vec::new();
    };
    roots.iter().flat_map(|root| from_root_to(root, path)).filter_map(|group| left_in(&group, files)).collect()
}

/// The folder of a group, and of all above it. In a container the path may be the host's: then only the root is there.
fn from_root_to(root: &Path, path: &str) -> Vec<PathBuf> {
    let group = root.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
}

fn left_in(group: &Path, files: &Files) -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(group.join(file)).ok();
    // What is no number is no limit.
    let limit: u64 = read(files.limit)?.trim().parse().ok()?;
    let used: u64 = read(files.used)?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let inactive = stat.lines().find_map(|line| line.strip_prefix(files.inactive)?.trim().parse::<u64>().ok());
    Some(limit.saturating_sub(used).saturating_add(inactive.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A tree of groups, each a folder with what is in its files.
    fn tree(groups: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let mounted = tempfile::tempdir().unwrap();
        for (folder, files) in groups {
            let folder = mounted.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in *files {
                fs::write(folder.join(file), text).unwrap();
            }
        }
        mounted
    }

    #[track_caller]
    fn check(groups: &[(&str, &[(&str, &str)])], own: &str, expected: Option<u64>) {
        assert_eq!(left(tree(groups).path(), own), expected);
    }

    #[test]
    fn the_group_that_leaves_least_counts() {
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
    fn the_first_version_has_a_hierarchy_for_memory() {
        let limited: &[(&str, &str)] = &[
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "1200\n"),
            ("memory.stat", "inactive_file 7\ntotal_inactive_file 50\n"),
        ];
        check(&[("memory/a", limited)], "4:memory:/a/b\n1:cpu:/c\n0::/\n", Some(50));
        // In a container with the host's path, whose root is its own group.
        check(&[("memory", limited)], "4:memory:/docker/7f\n", Some(50));
        check(&[("memory/a", limited)], "1:cpu:/a\n", None);
    }
}
