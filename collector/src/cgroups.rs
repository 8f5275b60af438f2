//! Control groups of a sweep's processes, and the groups around them that have limits or are
//! frozen.
//!
//! Processes can be limited or frozen by a group around their own, as containers are by their pod:
//! such a group is a node too, at the end of a chain of `member-of` edges. A process that the
//! version 1 hierarchies put in different groups is a member of each. The files of each controller
//! are read in the hierarchy that has it, version 1 or 2. Limits are read in every tenth sweep,
//! everything else in each.

mod evidence;
mod figures;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use hostread::{
    ProcRoot, Seen, Tape,
    cgroups::{CgroupLimits, CgroupMounts, CgroupUsage, Hierarchies, ancestors, parent},
    parse::container_label::Label,
};
use signals::Signal;

use crate::{container::Container, measure::Measured, process::Process};

/// The limits of a group are read again after this many sweeps.
const LIMITS_REREAD_SWEEPS: u64 = 10;

/// Control groups of one sweep.
#[derive(Debug, Default)]
pub struct Groups<'p> {
    /// Groups to show, ordered by path.
    pub shown: Vec<Group<'p>>,
    /// Number of groups that are outside the mounted hierarchies or unreadable.
    pub denied: usize,
    /// Whether no hierarchy is mounted.
    pub has_no_hierarchy: bool,
}

/// Control group to show in the snapshot.
#[derive(Debug)]
pub struct Group<'p> {
    /// Path in the hierarchy.
    pub path: &'p str,
    /// Number of processes in the group and in groups inside it.
    pub processes: u32,
    /// Name of the container of its processes, if they are in one.
    pub label: Option<&'p Label>,
    /// Measured values.
    pub figures: Vec<(Signal, Measured)>,
    /// Lines that show that the group holds up its processes: the file, and the line.
    pub evidence: Vec<(String, String)>,
}

/// State kept between sweeps: the mounted hierarchies, and the limits and last reading of each
/// group.
pub struct History {
    mounted: CgroupMounts,
    tape: Tape,
    groups: BTreeMap<String, GroupState>,
    sweeps: u64,
}

/// Limits and last reading of a group.
#[derive(Clone, Copy)]
struct GroupState {
    limits: CgroupLimits,
    denied: bool,
    // `None` if the group was skipped in that sweep.
    reading: Option<CgroupUsage>,
}

/// Facts about a group that come from its processes.
#[derive(Clone, Copy, Default)]
struct GroupMembers<'p> {
    hierarchies: Hierarchies,
    processes: u32,
    label: Option<&'p Label>,
    // Whether a process is in the group itself, and not only in groups inside it.
    has_processes: bool,
}

impl History {
    /// Returns an empty history for the hierarchies that are mounted at `path`.
    pub fn new(path: &Path, root: &ProcRoot, buffer: &mut Vec<u8>) -> History {
        let mounted = CgroupMounts::detect(path, root, buffer);
        History { mounted, tape: root.tape.clone(), groups: BTreeMap::new(), sweeps: 0 }
    }

    /// Reads the groups of `processes`, and the groups around them that have limits or are frozen.
    pub fn read_all<'p>(&mut self, processes: &'p [Process], buffer: &mut Vec<u8>) -> Groups<'p> {
        let mut found = Groups { has_no_hierarchy: self.mounted.is_empty(), ..Groups::default() };
        let mut before = std::mem::take(&mut self.groups);
        let mut around_frozen = BTreeSet::new();
        // Inner groups come first, because the group around a frozen one must be read.
        for (path, members) in self.members(processes).into_iter().rev() {
            let (key, known) = before.remove_entry(path).unzip();
            let is_wanted = members.has_processes || around_frozen.contains(path);
            let now = self.read(path, members.hierarchies, known, is_wanted, buffer);
            found.denied += usize::from(now.denied);
            if let Some(reading) = &now.reading {
                let frozen = reading.is_frozen == Seen::Here(true);
                around_frozen.extend(parent(path).filter(|_| frozen));
                if members.has_processes || now.limits.is_any_set() || frozen {
                    found.shown.push(self.group(path, &members, &now.limits, reading, known.as_ref()));
                }
            }
            self.groups.insert(key.unwrap_or_else(|| path.to_owned()), now);
        }
        self.sweeps += 1;
        found.shown.reverse();
        found
    }

    /// Reads a group. Without `is_wanted`, the usage is read only if the group has limits.
    fn read(
        &self,
        path: &str,
        hierarchies: Hierarchies,
        known: Option<GroupState>,
        is_wanted: bool,
        buffer: &mut Vec<u8>,
    ) -> GroupState {
        let known = known.filter(|_| !self.is_limit_reread_due(path));
        if let Some(known) = known.filter(|known| !(is_wanted || known.limits.is_any_set())) {
            return GroupState { reading: None, ..known };
        }
        let opened = self.mounted.open(path, hierarchies);
        let limits = known.map_or_else(|| opened.read_limits(buffer), |known| known.limits);
        let reading = (is_wanted || limits.is_any_set()).then(|| opened.read_usage(&limits, &self.tape, buffer));
        GroupState { limits, denied: opened.is_denied(), reading }
    }

    /// Returns whether to read the limits of the group again in this sweep. Groups are spread over
    /// sweeps.
    fn is_limit_reread_due(&self, path: &str) -> bool {
        let offset = path.bytes().fold(0, |sum: u64, byte| sum + u64::from(byte));
        (self.sweeps + offset).is_multiple_of(LIMITS_REREAD_SWEEPS)
    }

    fn group<'p>(
        &self,
        path: &'p str,
        members: &GroupMembers<'p>,
        limits: &CgroupLimits,
        reading: &CgroupUsage,
        known: Option<&GroupState>,
    ) -> Group<'p> {
        let before = known.and_then(|known| known.reading.as_ref());
        let group_files = evidence::GroupFiles { mounted: &self.mounted, path, hierarchies: members.hierarchies };
        Group {
            path,
            processes: members.processes,
            label: members.label,
            figures: figures::from_readings(reading, before, limits),
            evidence: group_files.evidence(reading, before),
        }
    }

    /// Returns all groups that `processes` are in, and the groups around them.
    fn members<'p>(&self, processes: &'p [Process]) -> BTreeMap<&'p str, GroupMembers<'p>> {
        let mut with_processes = BTreeMap::<&str, GroupMembers<'_>>::new();
        for info in processes.iter().map(|process| &process.info) {
            let label = info.container.as_ref().and_then(Container::label);
            for membership in info.groups.iter().filter(|membership| self.is_group(&membership.path)) {
                let processes = u32::from(membership.is_innermost);
                let other = GroupMembers { hierarchies: membership.hierarchies, processes, label, has_processes: true };
                with_processes.entry(&membership.path).or_default().add(&other);
            }
        }
        let mut all = with_processes.clone();
        for (path, members) in &with_processes {
            for path in ancestors(path).filter(|path| self.is_group(path)) {
                all.entry(path).or_default().add(&GroupMembers { has_processes: false, ..*members });
            }
        }
        all
    }

    fn is_group(&self, path: &str) -> bool {
        path != "/" || self.mounted.root_is_a_group
    }
}

impl<'p> GroupMembers<'p> {
    fn add(&mut self, other: &GroupMembers<'p>) {
        self.hierarchies = self.hierarchies.union(other.hierarchies);
        self.processes += other.processes;
        self.label = self.label.or(other.label);
        self.has_processes |= other.has_processes;
    }
}
