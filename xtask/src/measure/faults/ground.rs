//! What the workload stands on beside processes: a small filesystem, control groups, and the rule that loses packets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::process::geteuid;

use super::undo::{Keeper, shell};

/// Of a period, 100 ms: several times what the workers take, and less than a stranger gets even on a busy host.
const CPU_QUOTA_US: &str = "25000";

/// What only root can make. It is undone when this is dropped, or this process has ended in whatever way.
pub struct Ground {
    /// The control groups of the workers, by controller; empty where there are none of version 1.
    pub groups: BTreeMap<&'static str, PathBuf>,
    _keeper: Keeper,
}

impl Ground {
    /// Makes it, of which nothing if this is not root. The port is that of the database.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn make(folder: &Path, port: u16) -> anyhow::Result<Ground> {
        let groups = if is_root() { groups() } else { BTreeMap::new() };
        let keeper = Keeper::start(&undoing(folder, &groups, port))?;
        let ground = Ground { groups, _keeper: keeper };
        if is_root() {
            shell(&format!("mount -t tmpfs -o size=32m spool '{}'", folder.join("spool").display()))?;
        }
        for (controller, group) in &ground.groups {
            std::fs::create_dir(group).with_context(|| format!("cannot make a group of `{controller}`"))?;
        }
        if let Some(group) = ground.groups.get("cpu") {
            std::fs::write(group.join("cpu.cfs_quota_us"), CPU_QUOTA_US).context("cannot set a CPU quota")?;
        }
        Ok(ground)
    }

    /// Puts a process into the workers' groups.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn join_groups(&self, pid: u32) -> anyhow::Result<()> {
        for group in self.groups.values() {
            let file = group.join("cgroup.procs");
            std::fs::write(&file, pid.to_string()).with_context(|| format!("cannot write `{}`", file.display()))?;
        }
        Ok(())
    }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    geteuid().is_root()
}

fn groups() -> BTreeMap<&'static str, PathBuf> {
    let named = format!("trial-{}", std::process::id());
    let group = |controller| (controller, Path::new("/sys/fs/cgroup").join(controller).join(&named));
    let is_there = |(_, group): &(&str, PathBuf)| group.with_file_name("cgroup.procs").exists();
    ["cpu", "freezer"].map(group).into_iter().filter(is_there).collect()
}

/// The script that undoes what outlives processes; what there is nothing of, fails quietly.
fn undoing(folder: &Path, groups: &BTreeMap<&'static str, PathBuf>, port: u16) -> String {
    let mut script = format!("{}\numount -l '{}'\n", lose_no_more(port), folder.join("spool").display());
    if let Some(group) = groups.get("freezer") {
        script += &format!("echo THAWED >'{}/freezer.state'\n", group.display());
    }
    for group in groups.values() {
        // Those in it are about to end.
        let path = group.display();
        script += &format!("for i in 1 2 3 4 5 6 7 8 9 10; do rmdir '{path}' && break; sleep .3; done\n");
    }
    script
}

/// Has the kernel lose some of what comes for a port of loopback.
pub fn lose(port: u16) -> String {
    format!("iptables -A {}", rule(port))
}

/// Undoes [`lose`].
pub fn lose_no_more(port: u16) -> String {
    format!("while iptables -D {} 2>/dev/null; do :; done", rule(port))
}

fn rule(port: u16) -> String {
    format!("INPUT -i lo -p tcp --dport {port} -m statistic --mode random --probability 0.12 -j DROP")
}
