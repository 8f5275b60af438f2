//! Reads what `ps` prints of every process, from two small files each, to compare the cost with
//! that of `ps`.

use crate::{error::HostReadError, parse, proc_root::ProcRoot, seen::Seen};

/// One process, as `ps` prints it.
#[derive(Debug)]
pub struct PsRow {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent.
    pub parent: u32,
    /// State letter of `stat`, such as `R` or `D`.
    pub state: u8,
    /// Number of threads.
    pub threads: u64,
    /// Resident memory, in pages.
    pub resident_pages: Seen<u64>,
    /// CPU time in user and kernel mode, in clock ticks.
    pub cpu_ticks: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// Name of the process (`comm`).
    pub comm: String,
}

/// Reads all processes, kernel threads included, in the kernel's order.
///
/// # Errors
/// If there are none.
pub fn list_processes(root: &ProcRoot, buffer: &mut Vec<u8>) -> Result<Vec<PsRow>, HostReadError> {
    let pids = root.pids()?;
    Ok(pids.into_iter().filter_map(|pid| row(root, pid, buffer).here()).collect())
}

fn row(root: &ProcRoot, pid: u32, buffer: &mut Vec<u8>) -> Seen<PsRow> {
    root.directory.open_dir_for_lookup(rustix::path::DecInt::new(pid).as_str()).and_then(|directory| {
        let row = directory.read_page("stat", buffer).and_then(|text| {
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
        let statm = directory.read_page("statm", buffer);
        let memory = statm.and_then(|text| parse::process::parse_statm(text).into());
        row.map(|row| PsRow { resident_pages: memory.map(|memory| memory.resident), ..row })
    })
}
