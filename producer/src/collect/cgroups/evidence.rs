//! The lines that prove that a control group holds its processes up.

use hostread::{
    Seen,
    cgroups::{CgroupMounts, CgroupUsage, Hierarchies, Hierarchy},
};

/// A group, and where its files are.
pub struct GroupFiles<'s> {
    /// Where the hierarchies are.
    pub mounted: &'s CgroupMounts,
    /// The group.
    pub path: &'s str,
    /// Those that it is in.
    pub hierarchies: Hierarchies,
}

/// A file of a group, and a line of it.
type Line = (&'static str, String);

impl GroupFiles<'_> {
    /// Where each line is from, and what it says, if the group was throttled or ran out of memory meanwhile, or is frozen.
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
        let is_old = self.hierarchies.contains(hierarchy) && self.mounted.has(hierarchy);
        let (hierarchy, (file, text)) = if is_old { (hierarchy, old) } else { (Hierarchy::V2, unified) };
        Some((self.mounted.path(hierarchy, self.path, file)?.display().to_string(), text))
    }
}
