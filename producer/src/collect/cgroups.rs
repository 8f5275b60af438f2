//! The control groups of a sweep's processes, and those around them that have limits: what they use, and how they hold up those
//! inside.

mod evidence;
mod figures;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use hostread::{
    ProcRoot, Seen, Tape,
    cgroups::{CgroupLimits, CgroupMounts, CgroupUsage, Hierarchies, ancestors, parent},
};
use signals::Signal;

use crate::collect::{
    container::{Container, Label},
    measure::Measured,
    process::Process,
};

/// The limits of a group are read again after so many sweeps.
const LIMITS_REREAD_SWEEPS: u64 = 10;

/// The groups of one sweep.
#[derive(Debug, Default)]
pub struct Groups<'p> {
    /// Those to be shown, by path.
    pub shown: Vec<Group<'p>>,
    /// How many are not below what is mounted, or may not be read.
    pub denied: usize,
    /// Whether there is no hierarchy at all.
    pub has_no_hierarchy: bool,
}

/// A group that is shown.
#[derive(Debug)]
pub struct Group<'p> {
    /// Its path.
    pub path: &'p str,
    /// Processes in it and in those inside it.
    pub processes: u32,
    /// What the container of its processes is called, if they are in one.
    pub label: Option<&'p Label>,
    /// What was measured.
    pub figures: Vec<(Signal, Measured)>,
    /// What proves that it holds its processes up: a file, and what it says.
    pub evidence: Vec<(String, String)>,
}

/// What is remembered from sweep to sweep: where to look, and what each group may do and did.
pub struct History {
    mounted: CgroupMounts,
    tape: Tape,
    groups: BTreeMap<String, GroupState>,
    sweeps: u64,
}

#[derive(Clone, Copy)]
struct GroupState {
    limits: CgroupLimits,
    denied: bool,
    // None if it was left out in that sweep.
    reading: Option<CgroupUsage>,
}

/// A group as processes tell of it.
#[derive(Clone, Copy, Default)]
struct GroupMembers<'p> {
    hierarchies: Hierarchies,
    processes: u32,
    label: Option<&'p Label>,
    // Whether there are processes in the group itself.
    inhabited: bool,
}

impl History {
    /// Nothing yet, of the hierarchies that are mounted at `path`.
    pub fn new(path: &Path, root: &ProcRoot, buffer: &mut Vec<u8>) -> History {
        let mounted = CgroupMounts::detect(path, root, buffer);
        History { mounted, tape: root.tape.clone(), groups: BTreeMap::new(), sweeps: 0 }
    }

    /// Reads the groups of these processes, and those around them that have limits or are frozen.
    pub fn read_all<'p>(&mut self, processes: &'p [Process], buffer: &mut Vec<u8>) -> Groups<'p> {
        let mut found = Groups { has_no_hierarchy: self.mounted.is_empty(), ..Groups::default() };
        let mut before = std::mem::take(&mut self.groups);
        let mut around_frozen = BTreeSet::new();
        // From the inside out: what is around others matters if those are frozen.
        for (path, members) in self.members(processes).into_iter().rev() {
            let (key, known) = before.remove_entry(path).unzip();
            let is_wanted = members.inhabited || around_frozen.contains(path);
            let now = self.read(path, members.hierarchies, known, is_wanted, buffer);
            found.denied += usize::from(now.denied);
            if let Some(reading) = &now.reading {
                let frozen = reading.is_frozen == Seen::Here(true);
                around_frozen.extend(parent(path).filter(|_| frozen));
                if members.inhabited || now.limits.is_any_set() || frozen {
                    found.shown.push(self.group(path, &members, &now.limits, reading, known.as_ref()));
                }
            }
            self.groups.insert(key.unwrap_or_else(|| path.to_owned()), now);
        }
        self.sweeps += 1;
        found.shown.reverse();
        found
    }

    /// Reads a group; one that is not wanted for itself only as far as its limits ask for it.
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

    /// Whether the limits of that group are to be read again in this sweep; not those of all groups in the same one.
    fn is_limit_reread_due(&self, path: &str) -> bool {
        let place = path.bytes().fold(0, |sum: u64, byte| sum + u64::from(byte));
        (self.sweeps + place).is_multiple_of(LIMITS_REREAD_SWEEPS)
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

    /// All groups that these processes are in, and those around them.
    fn members<'p>(&self, processes: &'p [Process]) -> BTreeMap<&'p str, GroupMembers<'p>> {
        let mut inhabited = BTreeMap::<&str, GroupMembers<'_>>::new();
        for info in processes.iter().map(|process| &process.info) {
            let label = info.container.as_ref().and_then(Container::label);
            for place in info.groups.iter().filter(|place| self.is_group(&place.path)) {
                let processes = u32::from(place.is_innermost);
                let other = GroupMembers { hierarchies: place.hierarchies, processes, label, inhabited: true };
                inhabited.entry(&place.path).or_default().add(&other);
            }
        }
        let mut all = inhabited.clone();
        for (path, members) in &inhabited {
            for path in ancestors(path).filter(|path| self.is_group(path)) {
                all.entry(path).or_default().add(&GroupMembers { inhabited: false, ..*members });
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
        self.inhabited |= other.inhabited;
    }
}
