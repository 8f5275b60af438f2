//! The machine that figures are measured on.

/// Cores, memory and kernel version, such as `2 cores, 24 GB, Linux 6.18.1`.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total_kb = meminfo.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    format!("{cores} cores, {} GB, Linux {}", total_kb.unwrap_or(0) / 1_000_000, kernel.trim())
}
