//! What `ps` tells of every process, and nothing else: two small files each. It is the cheapest look at a host, to be measured
//! against `ps` itself.

use crate::{error::HostReadError, parse, proc_root::ProcRoot, seen::Seen};

/// A line of the listing.
#[derive(Debug)]
pub struct PsRow {
    /// Process id.
    pub pid: u32,
    /// The parent's process id.
    pub parent: u32,
    /// One letter, as in `stat`.
    pub state: u8,
    /// Threads.
    pub threads: u64,
    /// Memory in use, in pages.
    pub resident_pages: Seen<u64>,
    /// Clock ticks on a CPU.
    pub cpu_ticks: u64,
    /// Page faults that took I/O.
    pub major_faults: u64,
    /// The name that it gives itself.
    pub comm: String,
}

/// All processes, threads of the kernel's own included, in the kernel's order.
///
/// # Errors
/// If there are none.
pub fn list_processes(root: &ProcRoot, buffer: &mut Vec<u8>) -> Result<Vec<PsRow>, HostReadError> {
    let pids = root.pids()?;
    Ok(pids.into_iter().filter_map(|pid| line(root, pid, buffer).here()).collect())
}

fn line(root: &ProcRoot, pid: u32, buffer: &mut Vec<u8>) -> Seen<PsRow> {
    root.directory.open_dir_for_lookup(rustix::path::DecInt::new(pid).as_str()).and_then(|directory| {
        let line = directory.read_page("stat", buffer).and_then(|text| {
            let Some(stat) = parse::stat::parse_stat(text) else { return Seen::Unsupported };
            Seen::Here(PsRow {
                pid,
                parent: stat.parent,
                state: stat.state,
                threads: stat.threads,
                resident_pages: Seen::Gone,
                cpu_ticks: stat.user_ticks.saturating_add(stat.system_ticks),
                major_faults: stat.major_faults,
                comm: parse::text(stat.comm),
            })
        });
        let memory = directory.read_page("statm", buffer);
        let memory = memory.and_then(|text| parse::process::parse_statm(text).map_or(Seen::Unsupported, Seen::Here));
        line.map(|line| PsRow { resident_pages: memory.map(|memory| memory.resident), ..line })
    })
}
