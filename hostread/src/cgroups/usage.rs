//! Limits and usage of one control group.

use std::{collections::BTreeMap, time::Instant};

use super::hierarchy::Hierarchy;
use crate::{
    directory::Directory,
    parse::{
        cgroup::{self, IoBytes, Throttling},
        system::{Pressure, parse_pressure},
    },
    seen::Seen,
    tape::Tape,
};

/// Limits of a control group. `Here(None)`: unlimited.
#[derive(Clone, Copy, Debug)]
pub struct CgroupLimits {
    /// CPU quota, in cores.
    pub cores: Seen<Option<f64>>,
    /// Memory limit, in bytes.
    pub memory_bytes: Seen<Option<u64>>,
    /// Limit of the number of processes and threads.
    pub pids: Seen<Option<u64>>,
}

impl CgroupLimits {
    /// Whether at least one limit is set.
    pub fn is_any_set(&self) -> bool {
        matches!(self.cores, Seen::Here(Some(_)))
            || matches!(self.memory_bytes, Seen::Here(Some(_)))
            || matches!(self.pids, Seen::Here(Some(_)))
    }
}

/// Resource usage and state of a control group.
#[derive(Clone, Copy, Debug)]
pub struct CgroupUsage {
    /// When the counters were read.
    pub read_at: Instant,
    /// CPU throttling by the quota.
    pub throttling: Seen<Throttling>,
    /// CPU time, in nanoseconds. Not read without a CPU quota.
    pub cpu_nanos: Seen<u64>,
    /// Memory in use, in bytes.
    pub memory_bytes: Seen<u64>,
    /// Number of processes that the OOM killer has killed.
    pub oom_kills: Seen<u64>,
    /// How often memory was reclaimed because the usage had reached a limit.
    pub memory_limit_hits: Seen<u64>,
    /// Number of processes and threads. Not read without a limit of it.
    pub pids: Seen<u64>,
    /// Whether the group is frozen.
    pub is_frozen: Seen<bool>,
    /// Bytes read from and written to block devices.
    pub io: Seen<IoBytes>,
    /// Pressure stall information of CPU, memory and I/O. Version 2 only.
    pub pressure: [Seen<Pressure>; 3],
}

/// The name of a file of a control group, and its parser.
type File<T> = (&'static str, fn(&[u8]) -> Option<T>);

/// The open directories of a control group. Each file is read in the version 1 hierarchy of its
/// controller if the group has a directory there, else in version 2: a controller belongs to one
/// hierarchy only.
pub struct OpenCgroup {
    directories: BTreeMap<Hierarchy, Seen<Directory>>,
}

impl OpenCgroup {
    /// Creates a group from its directories, by hierarchy.
    pub fn new(directories: BTreeMap<Hierarchy, Seen<Directory>>) -> OpenCgroup {
        OpenCgroup { directories }
    }

    /// Whether a directory of the group is not accessible, or is outside of the mounted groups.
    pub fn is_denied(&self) -> bool {
        self.directories.values().any(|directory| matches!(directory, Seen::Denied))
    }

    /// Reads the limits of the group.
    pub fn read_limits(&self, buffer: &mut Vec<u8>) -> CgroupLimits {
        let limit = cgroup::parse_limit as fn(&[u8]) -> Option<Option<u64>>;
        let memory_bytes =
            self.read_either(Hierarchy::Memory, ("memory.limit_in_bytes", limit), ("memory.max", limit), buffer);
        CgroupLimits {
            cores: self.read_quota(buffer),
            memory_bytes,
            pids: self.read_either(Hierarchy::Pids, ("pids.max", limit), ("pids.max", limit), buffer),
        }
    }

    fn read_quota(&self, buffer: &mut Vec<u8>) -> Seen<Option<f64>> {
        if !self.is_in(Hierarchy::Cpu) {
            return self.read(Hierarchy::V2, ("cpu.max", cgroup::parse_cpu_max), buffer);
        }
        match self.read(Hierarchy::Cpu, ("cpu.cfs_quota_us", cgroup::parse_cfs_quota), buffer) {
            Seen::Here(Some(quota)) => {
                let period = self.read(Hierarchy::Cpu, ("cpu.cfs_period_us", cgroup::parse_amount), buffer);
                period.and_then(|period| cgroup::quota_in_cores(quota, period).into()).map(Some)
            }
            none => none.map(|_| None),
        }
    }

    /// Reads the usage of the group. CPU time and pids are read only if `limits` limits them.
    pub fn read_usage(&self, limits: &CgroupLimits, tape: &Tape, buffer: &mut Vec<u8>) -> CgroupUsage {
        let stat = (
            "cpu.stat",
            (|text| Some((cgroup::parse_throttling(text), cgroup::parse_cpu_nanos(text)))) as fn(&[u8]) -> Option<_>,
        );
        let stat = self.read_either(Hierarchy::Cpu, stat, stat, buffer);
        let read_at = tape.monotonic_clock();
        let (oom_kills, memory_limit_hits) = self.read_memory_events(buffer);
        let memory = ("memory.usage_in_bytes", cgroup::parse_amount as fn(&[u8]) -> Option<u64>);
        let pids: File<u64> = ("pids.current", cgroup::parse_amount);
        let has_quota = matches!(limits.cores, Seen::Here(Some(_)));
        let has_pids_limit = matches!(limits.pids, Seen::Here(Some(_)));
        CgroupUsage {
            read_at,
            throttling: stat.and_then(|(throttling, _)| throttling.into()),
            cpu_nanos: match stat {
                _ if !has_quota => Seen::Unsupported,
                Seen::Here((_, Some(nanos))) => Seen::Here(nanos),
                _ => self.read(Hierarchy::CpuAccounting, ("cpuacct.usage", cgroup::parse_amount), buffer),
            },
            memory_bytes: self.read_either(Hierarchy::Memory, memory, ("memory.current", cgroup::parse_amount), buffer),
            oom_kills,
            memory_limit_hits,
            pids: match has_pids_limit {
                true => self.read_either(Hierarchy::Pids, pids, pids, buffer),
                false => Seen::Unsupported,
            },
            is_frozen: self.read_frozen(buffer),
            io: self.read_io(buffer),
            pressure: ["cpu.pressure", "memory.pressure", "io.pressure"]
                .map(|name| self.read(Hierarchy::V2, (name, |text| Some(parse_pressure(text))), buffer)),
        }
    }

    fn read_frozen(&self, buffer: &mut Vec<u8>) -> Seen<bool> {
        let v1 = ("freezer.state", cgroup::parse_freezer_state as fn(&[u8]) -> Option<bool>);
        self.read_either(Hierarchy::Freezer, v1, ("cgroup.events", cgroup::parse_frozen), buffer)
    }

    /// OOM kills, and how often a memory limit was reached.
    fn read_memory_events(&self, buffer: &mut Vec<u8>) -> (Seen<u64>, Seen<u64>) {
        if self.is_in(Hierarchy::Memory) {
            let kills = self.read(Hierarchy::Memory, ("memory.oom_control", cgroup::parse_oom_kills), buffer);
            return (kills, self.read(Hierarchy::Memory, ("memory.failcnt", cgroup::parse_amount), buffer));
        }
        let events = self.read(Hierarchy::V2, ("memory.events", cgroup::parse_memory_events), buffer);
        (events.map(|events| events.oom_kills), events.map(|events| events.limit_hits))
    }

    fn read_io(&self, buffer: &mut Vec<u8>) -> Seen<IoBytes> {
        let v1 = |name| (name, cgroup::parse_io_service_bytes as fn(&[u8]) -> Option<IoBytes>);
        if !self.is_in(Hierarchy::Io) {
            return self.read(Hierarchy::V2, ("io.stat", cgroup::parse_io_stat), buffer);
        }
        // The recursive file includes the groups below, as version 2 does. Older kernels lack it.
        match self.read(Hierarchy::Io, v1("blkio.throttle.io_service_bytes_recursive"), buffer) {
            Seen::Unsupported => self.read(Hierarchy::Io, v1("blkio.throttle.io_service_bytes"), buffer),
            seen => seen,
        }
    }

    fn is_in(&self, hierarchy: Hierarchy) -> bool {
        self.directories.contains_key(&hierarchy)
    }

    /// Reads `v1` in `hierarchy` if the group is in it, else `v2` in version 2.
    fn read_either<T>(&self, hierarchy: Hierarchy, v1: File<T>, v2: File<T>, buffer: &mut Vec<u8>) -> Seen<T> {
        if self.is_in(hierarchy) { self.read(hierarchy, v1, buffer) } else { self.read(Hierarchy::V2, v2, buffer) }
    }

    fn read<T>(&self, hierarchy: Hierarchy, (name, parse): File<T>, buffer: &mut Vec<u8>) -> Seen<T> {
        let Some(directory) = self.directories.get(&hierarchy) else { return Seen::Unsupported };
        directory.as_ref().and_then(|directory| match directory.read(name, buffer) {
            // The directory exists, so this kernel has no such file.
            Seen::Gone => Seen::Unsupported,
            text => text.and_then(|text| parse(text).into()),
        })
    }
}
