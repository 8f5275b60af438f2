//! One control group, read once: each file in the hierarchy where the group is, be it old or unified.

use std::{collections::BTreeMap, time::Instant};

use super::process_cgroups::Hierarchy;
use crate::{
    directory::Directory,
    parse::{
        cgroup::{self, Throttling},
        system::{Pressure, parse_pressure},
    },
    seen::Seen,
    tape::Tape,
};

/// What a group may use at most; `Here(None)` is as much as there is.
#[derive(Clone, Copy, Debug)]
pub struct CgroupLimits {
    /// CPU, in cores.
    pub cores: Seen<Option<f64>>,
    /// Memory, in bytes.
    pub memory_bytes: Seen<Option<u64>>,
    /// Processes and threads.
    pub pids: Seen<Option<u64>>,
}

impl CgroupLimits {
    /// Whether there is any.
    pub fn is_any_set(&self) -> bool {
        matches!(self.cores, Seen::Here(Some(_)))
            || matches!(self.memory_bytes, Seen::Here(Some(_)))
            || matches!(self.pids, Seen::Here(Some(_)))
    }
}

/// What a group does.
#[derive(Clone, Copy, Debug)]
pub struct CgroupUsage {
    /// When it was read.
    pub read_at: Instant,
    /// How often it was stopped because its CPU quota was used up.
    pub throttling: Seen<Throttling>,
    /// Nanoseconds on a CPU; asked of a group with a quota only.
    pub cpu_nanos: Seen<u64>,
    /// Bytes of memory in use.
    pub memory_bytes: Seen<u64>,
    /// Processes that were killed for want of memory.
    pub oom_kills: Seen<u64>,
    /// How often it stood at its memory limit and something of it had to go first.
    pub memory_limit_hits: Seen<u64>,
    /// Processes and threads; asked of a group with a limit only.
    pub pids: Seen<u64>,
    /// Whether it is frozen.
    pub is_frozen: Seen<bool>,
    /// Bytes from and to storage.
    pub io: Seen<(u64, u64)>,
    /// Who waits for CPU, memory and I/O.
    pub pressure: [Seen<Pressure>; 3],
}

/// A file, and how it is read.
type File<T> = (&'static str, fn(&[u8]) -> Option<T>);

/// The directories of a group.
pub struct OpenCgroup(pub BTreeMap<Hierarchy, Seen<Directory>>);

impl OpenCgroup {
    /// Whether any of them may not be entered, or is not below what is mounted.
    pub fn is_denied(&self) -> bool {
        self.0.values().any(|directory| matches!(directory, Seen::Denied))
    }

    /// Reads what it may use.
    pub fn read_limits(&self, buffer: &mut Vec<u8>) -> CgroupLimits {
        CgroupLimits {
            cores: self.cores(buffer),
            memory_bytes: self.ask(
                Hierarchy::Memory,
                ("memory.limit_in_bytes", cgroup::parse_limit),
                ("memory.max", cgroup::parse_limit),
                buffer,
            ),
            pids: self.ask(
                Hierarchy::Pids,
                ("pids.max", cgroup::parse_limit),
                ("pids.max", cgroup::parse_limit),
                buffer,
            ),
        }
    }

    fn cores(&self, buffer: &mut Vec<u8>) -> Seen<Option<f64>> {
        if !self.is_old(Hierarchy::Cpu) {
            return self.read(Hierarchy::V2, ("cpu.max", cgroup::parse_cpu_max), buffer);
        }
        match self.read(Hierarchy::Cpu, ("cpu.cfs_quota_us", cgroup::parse_cfs_quota), buffer) {
            Seen::Here(Some(quota)) => {
                let period = self.read(Hierarchy::Cpu, ("cpu.cfs_period_us", cgroup::parse_amount), buffer);
                period
                    .and_then(|period| cgroup::quota_in_cores(quota, period).map_or(Seen::Unsupported, Seen::Here))
                    .map(Some)
            }
            none => none.map(|_| None),
        }
    }

    /// Reads what it does. Where there is no limit, what would be compared with it is not asked for.
    pub fn read_usage(&self, limits: &CgroupLimits, tape: &Tape, buffer: &mut Vec<u8>) -> CgroupUsage {
        let stat = (
            "cpu.stat",
            (|text| Some((cgroup::parse_throttling(text), cgroup::parse_cpu_nanos(text)))) as fn(&[u8]) -> Option<_>,
        );
        let stat = self.ask(Hierarchy::Cpu, stat, stat, buffer);
        let at = tape.monotonic_clock();
        let (oom_kills, at_limit) = self.memory_events(buffer);
        let used = ("memory.usage_in_bytes", cgroup::parse_amount as fn(&[u8]) -> Option<u64>);
        let pids: File<u64> = ("pids.current", cgroup::parse_amount);
        let has_quota = matches!(limits.cores, Seen::Here(Some(_)));
        let is_counted = matches!(limits.pids, Seen::Here(Some(_)));
        CgroupUsage {
            read_at: at,
            throttling: stat.and_then(|(throttling, _)| told(throttling)),
            cpu_nanos: match stat {
                _ if !has_quota => Seen::Unsupported,
                Seen::Here((_, Some(nanos))) => Seen::Here(nanos),
                _ => self.read(Hierarchy::CpuAccounting, ("cpuacct.usage", cgroup::parse_amount), buffer),
            },
            memory_bytes: self.ask(Hierarchy::Memory, used, ("memory.current", cgroup::parse_amount), buffer),
            oom_kills,
            memory_limit_hits: at_limit,
            pids: if is_counted { self.ask(Hierarchy::Pids, pids, pids, buffer) } else { Seen::Unsupported },
            is_frozen: self.read_frozen(buffer),
            io: self.io(buffer),
            pressure: ["cpu.pressure", "memory.pressure", "io.pressure"]
                .map(|name| self.read(Hierarchy::V2, (name, |text| Some(parse_pressure(text))), buffer)),
        }
    }

    /// Whether it is frozen.
    pub fn read_frozen(&self, buffer: &mut Vec<u8>) -> Seen<bool> {
        let old = ("freezer.state", cgroup::parse_freezer_state as fn(&[u8]) -> Option<bool>);
        self.ask(Hierarchy::Freezer, old, ("cgroup.events", cgroup::parse_frozen), buffer)
    }

    fn memory_events(&self, buffer: &mut Vec<u8>) -> (Seen<u64>, Seen<u64>) {
        if self.is_old(Hierarchy::Memory) {
            let kills = self.read(Hierarchy::Memory, ("memory.oom_control", cgroup::parse_oom_kills), buffer);
            return (kills, self.read(Hierarchy::Memory, ("memory.failcnt", cgroup::parse_amount), buffer));
        }
        let events = self.read(Hierarchy::V2, ("memory.events", cgroup::parse_memory_events), buffer);
        (events.map(|(kills, _)| kills), events.map(|(_, at_limit)| at_limit))
    }

    fn io(&self, buffer: &mut Vec<u8>) -> Seen<(u64, u64)> {
        let old = |name| (name, cgroup::parse_io_service_bytes as fn(&[u8]) -> Option<(u64, u64)>);
        if !self.is_old(Hierarchy::Io) {
            return self.read(Hierarchy::V2, ("io.stat", cgroup::parse_io_stat), buffer);
        }
        // As in the unified hierarchy with all that is below; older kernels tell of the group alone.
        match self.read(Hierarchy::Io, old("blkio.throttle.io_service_bytes_recursive"), buffer) {
            Seen::Unsupported => self.read(Hierarchy::Io, old("blkio.throttle.io_service_bytes"), buffer),
            seen => seen,
        }
    }

    /// Whether the group is in that old hierarchy; if it is, the unified one does not have the controller.
    fn is_old(&self, hierarchy: Hierarchy) -> bool {
        self.0.contains_key(&hierarchy)
    }

    fn ask<T>(&self, hierarchy: Hierarchy, old: File<T>, unified: File<T>, buffer: &mut Vec<u8>) -> Seen<T> {
        if self.is_old(hierarchy) {
            self.read(hierarchy, old, buffer)
        } else {
            self.read(Hierarchy::V2, unified, buffer)
        }
    }

    fn read<T>(&self, hierarchy: Hierarchy, (name, parse): File<T>, buffer: &mut Vec<u8>) -> Seen<T> {
        let Some(directory) = self.0.get(&hierarchy) else { return Seen::Unsupported };
        directory.as_ref().and_then(|directory| match directory.read(name, buffer) {
            // The group is there, and this file of it never was.
            Seen::Gone => Seen::Unsupported,
            text => text.and_then(|text| told(parse(text))),
        })
    }
}

fn told<T>(parsed: Option<T>) -> Seen<T> {
    parsed.map_or(Seen::Unsupported, Seen::Here)
}
