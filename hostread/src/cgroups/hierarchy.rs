//! The hierarchies of control groups.

/// A tree of control groups: that of version 2, or that of a controller of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hierarchy {
    /// Version 2: the unified hierarchy of all controllers.
    V2,
    /// `cpu` of version 1: CPU quotas.
    Cpu,
    /// `cpuacct` of version 1: CPU time.
    CpuAccounting,
    /// `memory` of version 1.
    Memory,
    /// `blkio` of version 1: block I/O.
    Io,
    /// `pids` of version 1: the number of tasks.
    Pids,
    /// `freezer` of version 1.
    Freezer,
    /// `name=systemd` of version 1: no controller, only systemd's own tree.
    Systemd,
}

impl Hierarchy {
    /// The hierarchies of version 1, with their names in `/proc/PID/cgroup`.
    pub const V1: [(Hierarchy, &str); 7] = [
        (Hierarchy::Cpu, "cpu"),
        (Hierarchy::CpuAccounting, "cpuacct"),
        (Hierarchy::Memory, "memory"),
        (Hierarchy::Io, "blkio"),
        (Hierarchy::Pids, "pids"),
        (Hierarchy::Freezer, "freezer"),
        (Hierarchy::Systemd, "name=systemd"),
    ];
}

/// A set of hierarchies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies(u8);

impl Hierarchies {
    /// The set of one hierarchy.
    #[inline]
    pub fn only(hierarchy: Hierarchy) -> Hierarchies {
        Hierarchies(1 << hierarchy as u8)
    }

    /// The hierarchies of a comma-separated list of controllers, as in `/proc/PID/cgroup`. An empty
    /// list is version 2.
    pub fn from_controllers(controllers: &[u8]) -> Hierarchies {
        if controllers.is_empty() {
            return Hierarchies::only(Hierarchy::V2);
        }
        let names = || controllers.split(|byte| *byte == b',');
        let listed = Hierarchy::V1.iter().filter(|(_, name)| names().any(|listed| listed == name.as_bytes()));
        listed.fold(Hierarchies::default(), |all, (hierarchy, _)| all.union(Hierarchies::only(*hierarchy)))
    }

    /// Whether the set contains a hierarchy.
    #[inline]
    pub fn contains(self, hierarchy: Hierarchy) -> bool {
        self.0 & (1 << hierarchy as u8) != 0
    }

    /// The hierarchies in either set.
    #[inline]
    pub fn union(self, other: Hierarchies) -> Hierarchies {
        Hierarchies(self.0 | other.0)
    }

    /// Whether the set is empty.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
