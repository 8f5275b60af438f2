//! Prints what was measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::row::Row;
use crate::measure::{
    machine,
    rounding::{to_hundredth, to_tenth},
};

/// The ratios beside 1,000 processes, and all measurements.
pub fn to_json(rows: &BTreeMap<usize, Row>) -> Value {
    let at = |n: usize| rows.get(&n);
    let ratio = |of: &str, to: &str| at(1000).and_then(|row| row.ratio(of, to));
    json!({
        "machine": machine::describe(),
        "sweep_vs_floor": ratio("full_sweep_ms", "floor_ms"),
        "sweep_vs_full_floor": ratio("usual_sweep_ms", "floor_ms"),
        "sweep_vs_procfs": ratio("full_sweep_ms", "procfs_ms"),
        "sweep_vs_ps": ratio("columns_ms", "ps_ms"),
        "per_process_5000_vs_1000": growth_per_process(rows),
        "peak_rss_mb": at(1000).and_then(|row| row.peak_rss_mb),
        "sizes": rows.iter().map(|(n, row)| row.to_json(*n)).collect::<Vec<_>>(),
    })
}

/// CPU time of a full sweep per process beside 5,000 processes, divided by that beside 1,000.
fn growth_per_process(rows: &BTreeMap<usize, Row>) -> Option<f64> {
    let cost = |n: usize| rows.get(&n)?.per_process("full_sweep_ms");
    Some(to_hundredth(cost(5000)? / cost(1000)?))
}

/// Prints a Markdown table with one row for each number of processes.
pub fn print_table(rows: &BTreeMap<usize, Row>) {
    println!("{}\n", machine::describe());
    println!(
        "| processes | descriptors | full sweep | raw floor | full / floor | usual / floor | `procfs` | full / `procfs` | `ps` | \
         its columns | columns / `ps` | peak RSS |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value}"));
    for row in rows.values() {
        let ms = |name| format!("{} ms", shown(row.median(name).map(to_tenth)));
        let ratio = |of, to| shown(row.ratio(of, to));
        let cells = [
            shown(row.processes),
            shown(row.fds),
            ms("full_sweep_ms"),
            ms("floor_ms"),
            ratio("full_sweep_ms", "floor_ms"),
            ratio("usual_sweep_ms", "floor_ms"),
            ms("procfs_ms"),
            ratio("full_sweep_ms", "procfs_ms"),
            ms("ps_ms"),
            ms("columns_ms"),
            ratio("columns_ms", "ps_ms"),
            format!("{} MB", shown(row.peak_rss_mb)),
        ];
        println!("| {} |", cells.join(" | "));
    }
    let growth = shown(growth_per_process(rows));
    println!("\ncost of a full sweep per process, 5,000 processes / 1,000: {growth}");
}
