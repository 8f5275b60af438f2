//! What a fault leaves to others: it is refused where its host is short of something already.

use std::{io, path::Path, thread::available_parallelism};

use anyhow::Context;
use rustix::{
    fs::{statfs, statvfs},
    system::sysinfo,
};
use service::Hint;

use super::group::MOUNTED;

mod groups;

/// What a fault takes at most, in megabytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// Of memory.
    pub memory: u64,
    /// Of a disk.
    pub disk: u64,
}

/// Left free beside what a fault takes, in megabytes.
const SPARE: Takes = Takes { memory: 256, disk: 64 };
/// Tasks that run or want to, for each core: with more, nobody can tell what a fault adds.
const MOST_LOAD: f64 = 16.0;

/// Sees to it that there is room enough.
///
/// # Errors
/// With what to do about it.
pub fn check(takes: Takes, folder: &Path) -> anyhow::Result<()> {
    let space = statvfs(folder).map_err(io::Error::from);
    let space = space.with_context(|| format!("cannot look at the folder `{}`", folder.display()));
    let space = space.hint("name a file in a folder that exists: `--path FILE`")?;
    check_space(space.f_bavail.saturating_mul(space.f_frsize) / 1_000_000, takes.disk + SPARE.disk, folder)?;
    check_memory(available_memory()?, memory_of(takes, is_in_memory(folder)?) + SPARE.memory)?;
    check_load(load(), available_parallelism().map_or(1, usize::from))
}

/// Whether what is put there is put into memory.
///
/// # Errors
/// If it cannot be looked at.
pub fn is_in_memory(path: &Path) -> anyhow::Result<bool> {
    const TMPFS: u32 = 0x0102_1994;
    let about = statfs(path).map_err(io::Error::from);
    let about = about.with_context(|| format!("cannot look at `{}`", path.display()))?;
    Ok(about.f_type as u32 == TMPFS)
}

/// What is taken of memory, where what is large may be in memory too.
fn memory_of(takes: Takes, folder_in_memory: bool) -> u64 {
    takes.memory + if folder_in_memory { takes.disk } else { 0 }
}

fn check_space(free: u64, least: u64, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.display();
    let enough = if free < least {
        Err(anyhow::anyhow!("`{folder}` must have {least} MB of free space, found {free} MB"))
    } else {
        Ok(())
    };
    enough.hint("free some, or name a folder elsewhere: `TMPDIR`, or `--path FILE`")
}

fn check_memory(available: u64, least: u64) -> anyhow::Result<()> {
    let enough = if available < least {
        Err(anyhow::anyhow!("the host must have {least} MB of memory to spare, found {available} MB"))
    } else {
        Ok(())
    };
    enough.hint("end something large, raise the limit of the control group that this is in, or choose another host")
}

fn check_load(load: f64, cores: usize) -> anyhow::Result<()> {
    let most = MOST_LOAD * cores as f64;
    let idle_enough = if load > most {
        Err(anyhow::anyhow!("the host's load must be at most {most:.0}, found {load:.0}"))
    } else {
        Ok(())
    };
    idle_enough.hint("wait until it has less to do")
}

/// In megabytes: free, or taken by what can be read again, and not more than the control groups of this process leave it.
fn available_memory() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("cannot read `/proc/meminfo`")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let bytes = kib.context("`/proc/meminfo` has no `MemAvailable`")? * 1024;
    // A kernel without control groups has no such file.
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Ok(groups::left(Path::new(MOUNTED), &own).map_or(bytes, |left| left.min(bytes)) / 1_000_000)
}

/// Tasks that run or want to, on average of the last minute.
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
    fn a_host_that_is_short_of_something_is_left_alone() {
        assert!(check_space(64, 64, Path::new("/tmp")).is_ok());
        check_refused(check_space(63, 64, Path::new("/tmp")), "`/tmp` must have 64 MB of free space, found 63 MB");
        assert!(check_memory(300, 300).is_ok());
        check_refused(check_memory(299, 300), "the host must have 300 MB of memory to spare, found 299 MB");
        assert!(check_load(32.0, 2).is_ok());
        check_refused(check_load(33.0, 2), "the host's load must be at most 32, found 33");
    }

    #[test]
    fn what_is_put_into_memory_is_taken_of_it() {
        let takes = Takes { memory: 16, disk: 300 };
        assert_eq!((memory_of(takes, false), memory_of(takes, true)), (16, 316));
        assert!(!is_in_memory(Path::new("/proc")).unwrap());
    }

    #[test]
    fn this_host_has_memory() {
        assert!(available_memory().unwrap() > 0);
    }
}
