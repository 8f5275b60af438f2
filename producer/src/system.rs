//! The host as a whole: pressure, CPU and memory.

use procfs::{FromRead, Meminfo};

use crate::{
    columns::{Measure, Measured, Reason},
    parse::system::{self, CpuTicks, Pressure},
    read::{ProcRoot, Seen},
};

/// What the host's resources are like.
#[derive(Debug)]
pub struct System {
    cpu: Seen<Pressure>,
    memory: Seen<Pressure>,
    io: Seen<Pressure>,
    ticks: Option<CpuTicks>,
    available: Option<u64>,
}

/// A resource of the host: its node's id, and what it is called.
pub const RESOURCES: [(&str, &str); 3] = [("s:cpu", "cpu"), ("s:memory", "memory"), ("s:io", "io")];

/// Reads them.
pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> System {
    let mut pressure = |name: &str| {
        let text = root.directory.read(name, buffer);
        // A kernel without it has no such file, or one that cannot be read.
        if text == Seen::Gone { Seen::Unsupported } else { text.map(system::pressure) }
    };
    let (cpu, memory, io) = (pressure("pressure/cpu"), pressure("pressure/memory"), pressure("pressure/io"));
    let ticks = root.directory.read("stat", buffer).here().and_then(system::cpu_ticks);
    let meminfo = root.directory.read("meminfo", buffer).here().and_then(|text| Meminfo::from_read(text).ok());
    System { cpu, memory, io, ticks, available: meminfo.and_then(|meminfo| meminfo.mem_available) }
}

impl System {
    /// The clock ticks, to be compared with those of the next sweep.
    pub fn ticks(&self) -> Option<CpuTicks> {
        self.ticks
    }

    /// What was measured of each of [`RESOURCES`], by its place there.
    pub fn measured(&self, before: Option<CpuTicks>) -> [(usize, Measure, Measured); 7] {
        let average = |pressure: &Seen<Pressure>, pick: fn(&Pressure) -> Option<f32>| {
            pressure.as_ref().measured().and_then(|pressure| pick(pressure).map(f64::from).ok_or(Reason::Unsupported))
        };
        let some = |pressure: &Pressure| pressure.some;
        let full = |pressure: &Pressure| pressure.full;
        [
            (0, Measure::PsiCpuSome, average(&self.cpu, some)),
            (0, Measure::BusyPct, busy(self.ticks, before)),
            (1, Measure::PsiMemorySome, average(&self.memory, some)),
            (1, Measure::PsiMemoryFull, average(&self.memory, full)),
            (1, Measure::MemoryAvailable, self.available.map(|bytes| bytes as f64).ok_or(Reason::Unsupported)),
            (2, Measure::PsiIoSome, average(&self.io, some)),
            (2, Measure::PsiIoFull, average(&self.io, full)),
        ]
    }
}

fn busy(now: Option<CpuTicks>, before: Option<CpuTicks>) -> Measured {
    let now = now.ok_or(Reason::Unsupported)?;
    let before = before.ok_or(Reason::FirstSweep)?;
    let total = now.total.saturating_sub(before.total);
    if total == 0 {
        return Err(Reason::FirstSweep);
    }
    // The kernel's idle counters are known to step back a little now and then.
    Ok((now.busy.saturating_sub(before.busy) as f64 / total as f64 * 100.0).min(100.0))
}
