//! CPU, memory and I/O: pressure stall information and counters.

use hostread::{
    ProcRoot, Seen,
    parse::system::{self, CpuTicks, Pressure},
};
use signals::Signal;

use super::{
    counters,
    resources::{HostInputs, Resource},
};
use crate::measure::{IntoMeasured, Measured, Reason};

/// CPU ticks of the previous sweep.
#[derive(Debug, Default)]
pub struct History {
    ticks: Option<CpuTicks>,
}

impl History {
    /// Returns the resources `cpu`, `memory` and `io`.
    pub fn read(
        &mut self,
        inputs: &HostInputs<'_>,
        counters: &mut counters::History,
        buffer: &mut Vec<u8>,
    ) -> Vec<Resource> {
        let mut pressure = |name: &str| {
            let text = inputs.root.directory.read(name, buffer);
            // A kernel without PSI has no such file, or an unreadable one.
            if text == Seen::Gone { Seen::Unsupported } else { text.map(system::parse_pressure) }
        };
        let cpu = pressure("pressure/cpu");
        let memory = pressure("pressure/memory");
        let io = pressure("pressure/io");
        let some = |pressure: &Seen<Pressure>| average(pressure, |pressure| pressure.some);
        let full = |pressure: &Seen<Pressure>| average(pressure, |pressure| pressure.full);
        let mut of_cpu = vec![(Signal::PsiCpuSome, some(&cpu))];
        of_cpu.extend(self.cpu(inputs.root, counters, buffer));
        let mut of_memory = vec![(Signal::PsiMemorySome, some(&memory)), (Signal::PsiMemoryFull, full(&memory))];
        of_memory.extend(memory_figures(inputs, counters, buffer));
        let of_io = vec![(Signal::PsiIoSome, some(&io)), (Signal::PsiIoFull, full(&io))];
        vec![
            Resource::singleton("cpu", of_cpu),
            Resource::singleton("memory", of_memory),
            Resource::singleton("io", of_io),
        ]
    }

    fn cpu(
        &mut self,
        root: &ProcRoot,
        counters: &mut counters::History,
        buffer: &mut Vec<u8>,
    ) -> [(Signal, Measured); 5] {
        let text = root.directory.read("stat", buffer).here().unwrap_or_default();
        let ticks = system::parse_cpu_ticks(text);
        let activity = system::parse_activity(text);
        let level = |amount: Option<u64>| amount.map(|amount| amount as f64).ok_or(Reason::Unsupported);
        [
            (Signal::HostCpuPct, busy(ticks, std::mem::replace(&mut self.ticks, ticks))),
            (Signal::TasksRunning, level(activity.running)),
            (Signal::TasksBlocked, level(activity.blocked)),
            counters.rate(Signal::Forks, activity.forks.ok_or(Reason::Unsupported), 1.0),
            counters.rate(Signal::HostContextSwitches, activity.context_switches.ok_or(Reason::Unsupported), 1.0),
        ]
    }
}

fn memory_figures(
    inputs: &HostInputs<'_>,
    counters: &mut counters::History,
    buffer: &mut Vec<u8>,
) -> [(Signal, Measured); 4] {
    let directory = &inputs.root.directory;
    let available = directory.read("meminfo", buffer).here().and_then(system::parse_available_memory);
    let paging = directory.read("vmstat", buffer).here().map(system::parse_paging).unwrap_or_default();
    let kills = paging.oom_kills;
    let came = paging.swapped_in;
    let went = paging.swapped_out;
    [
        (Signal::MemoryAvailable, available.map(|bytes| bytes as f64).ok_or(Reason::Unsupported)),
        counters.rate(Signal::HostOomKills, kills.ok_or(Reason::Unsupported), 1.0),
        counters.rate(Signal::SwapInBytes, came.ok_or(Reason::Unsupported), inputs.page),
        counters.rate(Signal::SwapOutBytes, went.ok_or(Reason::Unsupported), inputs.page),
    ]
}

fn average(pressure: &Seen<Pressure>, pick: fn(&Pressure) -> Option<f32>) -> Measured {
    pressure.as_ref().measured().and_then(|pressure| pick(pressure).map(f64::from).ok_or(Reason::Unsupported))
}

fn busy(now: Option<CpuTicks>, before: Option<CpuTicks>) -> Measured {
    let now = now.ok_or(Reason::Unsupported)?;
    let before = before.ok_or(Reason::FirstSweep)?;
    let total = now.total.saturating_sub(before.total);
    if total == 0 {
        return Err(Reason::FirstSweep);
    }
    // The idle counters of the kernel can decrease slightly.
    Ok((now.busy.saturating_sub(before.busy) as f64 / total as f64 * 100.0).min(100.0))
}
