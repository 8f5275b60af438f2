//! Lines of control group files that show that a group holds up its processes.

use hostread::{
    Seen,
    cgroups::{CgroupMounts, CgroupUsage, Hierarchies, Hierarchy},
};

/// A control group, and the hierarchies that its files are in.
pub struct GroupFiles<'s> {
    /// Mounted hierarchies.
    pub mounted: &'s CgroupMounts,
    /// Path of the group.
    pub path: &'s str,
    /// Hierarchies that the group is in.
    pub hierarchies: Hierarchies,
}

/// Name of a file, and a line of it.
type Line = (&'static str, String);

impl GroupFiles<'_> {
    /// Returns the source and text of a line for each of: throttled since `before`, out of memory
    /// since `before`, frozen.
    pub fn evidence(&self, now: &CgroupUsage, before: Option<&CgroupUsage>) -> Vec<(String, String)> {
        let grew = |amount: fn(&CgroupUsage) -> Seen<u64>| {
            let before = before.and_then(|before| amount(before).here());
            before.is_some_and(|before| amount(now).here() > Some(before))
        };
        let throttling = now.throttling.here().filter(|_| grew(|reading| reading.throttling.map(|it| it.throttled)));
        let of_throttling = throttling.and_then(|it| {
            let periods = format!("nr_periods {} nr_throttled {}", it.periods, it.throttled);
            let old = ("cpu.stat", format!("{periods} throttled_time {}", it.nanos));
            self.line(Hierarchy::Cpu, old, ("cpu.stat", format!("{periods} throttled_usec {}", it.nanos / 1000)))
        });
        let oom_kills = now.oom_kills.here().filter(|_| grew(|reading| reading.oom_kills));
        let of_memory = oom_kills.and_then(|kills| {
            let line = format!("oom_kill {kills}");
            self.line(Hierarchy::Memory, ("memory.oom_control", line.clone()), ("memory.events", line))
        });
        let is_frozen = now.is_frozen == Seen::Here(true);
        let of_freezer = is_frozen.then(|| {
            let old = ("freezer.state", "FROZEN".to_owned());
            self.line(Hierarchy::Freezer, old, ("cgroup.events", "frozen 1".to_owned()))
        });
        of_throttling.into_iter().chain(of_memory).chain(of_freezer.flatten()).collect()
    }

    fn line(&self, hierarchy: Hierarchy, old: Line, unified: Line) -> Option<(String, String)> {
        let is_old = self.hierarchies.contains(hierarchy) && self.mounted.contains(hierarchy);
        let (hierarchy, (file, text)) = if is_old { (hierarchy, old) } else { (Hierarchy::V2, unified) };
        Some((self.mounted.file_path(hierarchy, self.path, file)?.display().to_string(), text))
    }
}
