//! Checks that the host has enough free resources: a fault is refused on a host that is short of
//! them.

use std::{io, path::Path, thread::available_parallelism};

use anyhow::Context;
use rustix::{
    fs::{statfs, statvfs},
    system::sysinfo,
};
use service::Hint;

use super::cgroup::MOUNT_POINT;

mod cgroup_memory;

/// Upper bound of the resources that a fault uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUse {
    /// Memory, in MB.
    pub memory_mb: u64,
    /// Disk space, in MB.
    pub disk_mb: u64,
}

/// Resources that must stay free while a fault runs.
const RESERVE: ResourceUse = ResourceUse { memory_mb: 256, disk_mb: 64 };
/// Maximum load per core: beyond it, the effect of a fault disappears in that of the load.
const MAX_LOAD: f64 = 16.0;

/// Checks that the host has enough disk space, memory and CPU time for a fault.
///
/// # Errors
/// If it has not, with a hint what to do.
pub fn check(uses: ResourceUse, folder: &Path) -> anyhow::Result<()> {
    let space = statvfs(folder).map_err(io::Error::from);
    let space = space.with_context(|| format!("cannot access the folder `{}`", folder.display()));
    let space = space.hint("name a file in a folder that exists: `--path FILE`")?;
    let free_mb = space.f_bavail.saturating_mul(space.f_frsize) / 1_000_000;
    check_space(free_mb, uses.disk_mb + RESERVE.disk_mb, folder)?;
    check_memory(available_memory_mb()?, total_memory_mb(uses, is_in_memory(folder)?) + RESERVE.memory_mb)?;
    check_load(load(), available_parallelism().map_or(1, usize::from))
}

/// Whether the filesystem of a path is in memory (tmpfs).
///
/// # Errors
/// If the filesystem cannot be examined.
pub fn is_in_memory(path: &Path) -> anyhow::Result<bool> {
    const TMPFS_MAGIC: u32 = 0x0102_1994;
    let filesystem = statfs(path).map_err(io::Error::from);
    let filesystem = filesystem.with_context(|| format!("cannot examine the filesystem of `{}`", path.display()))?;
    Ok(filesystem.f_type as u32 == TMPFS_MAGIC)
}

/// The memory that a fault uses, including files if they are in memory.
fn total_memory_mb(uses: ResourceUse, folder_in_memory: bool) -> u64 {
    uses.memory_mb + if folder_in_memory { uses.disk_mb } else { 0 }
}

fn check_space(free: u64, expected: u64, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.display();
    let enough = if free < expected {
        Err(anyhow::anyhow!("`{folder}` must have {expected} MB of free space, found {free} MB"))
    } else {
        Ok(())
    };
    enough.hint("free some, or use another folder: `TMPDIR`, or `--path FILE`")
}

fn check_memory(available: u64, expected: u64) -> anyhow::Result<()> {
    let enough = if available < expected {
        Err(anyhow::anyhow!("the host must have {expected} MB of available memory, found {available} MB"))
    } else {
        Ok(())
    };
    enough.hint("end a large process, raise the limit of this control group, or use another host")
}

fn check_load(load: f64, cores: usize) -> anyhow::Result<()> {
    let most = MAX_LOAD * cores as f64;
    let idle_enough = if load > most {
        Err(anyhow::anyhow!("the host's load must be at most {most:.0}, found {load:.0}"))
    } else {
        Ok(())
    };
    idle_enough.hint("wait until the load falls")
}

/// Memory that this process can use, in MB: `MemAvailable` of the host, or less if the control
/// groups of this process have lower limits.
fn available_memory_mb() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("cannot read `/proc/meminfo`")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let bytes = kib.context("`/proc/meminfo` has no `MemAvailable`")? * 1024;
    // A kernel without control groups has no such file.
    let own_groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left = cgroup_memory::available(Path::new(MOUNT_POINT), &own_groups);
    Ok(left.map_or(bytes, |left| left.min(bytes)) / 1_000_000)
}

/// Load average of the last minute.
fn load() -> f64 {
    sysinfo().loads[0] as f64 / 65536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(checked: anyhow::Result<()>, expected: &str) {
        assert_eq!(checked.unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_host_that_is_short_of_a_resource_is_refused() {
        assert!(check_space(64, 64, Path::new("/tmp")).is_ok());
        check_refused(check_space(63, 64, Path::new("/tmp")), "`/tmp` must have 64 MB of free space, found 63 MB");
        assert!(check_memory(300, 300).is_ok());
        check_refused(check_memory(299, 300), "the host must have 300 MB of available memory, found 299 MB");
        assert!(check_load(32.0, 2).is_ok());
        check_refused(check_load(33.0, 2), "the host's load must be at most 32, found 33");
    }

    #[test]
    fn files_in_memory_count_as_memory() {
        let uses = ResourceUse { memory_mb: 16, disk_mb: 300 };
        assert_eq!((total_memory_mb(uses, false), total_memory_mb(uses, true)), (16, 316));
        assert!(!is_in_memory(Path::new("/proc")).unwrap());
    }

    #[test]
    fn this_host_has_available_memory() {
        assert!(available_memory_mb().unwrap() > 0);
    }
}
