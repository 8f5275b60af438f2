//! What a sweep costs, beside what it can be compared with, in one run.
//!
//! All of it is in milliseconds of a CPU, which depend less on what else the machine does than those of the clock on the wall, and
//! medians of rounds: each round takes everything in turn. The sizes are gone through up and down again for the same reason.
//! Other processes of this host are seen and counted too; `unshare --pid --fork --mount-proc` keeps them out.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};
use clap::Args;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};

use super::{build_release, crowd::Crowd, empty_folder, machine, remove_folder, rounded, tied::Tied};
use row::Row;

mod row;

/// What to measure.
#[derive(Args)]
pub struct ProducerArgs {
    /// How many processes to start, one number after another.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 5000])]
    processes: Vec<usize>,
    /// How many rounds; beside more than 2,000 processes half as many.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// The columns that `ps` and the producer's listing share.
const PS: [&str; 3] = ["ps", "-eo", "pid,ppid,state,nlwp,rss,cputimes,maj_flt,comm"];
/// How many sweeps the peak of memory is of.
const SWEEPS: &str = "60";

/// Measures and prints.
///
/// # Errors
/// If it cannot be built or run.
pub fn run(args: &ProducerArgs, json: bool) -> anyhow::Result<()> {
    let selection = ["--package", "producer", "--no-default-features", "--example", "cost"];
    let program = build_release(&selection)?.join("examples/cost");
    let folder = empty_folder("measure-producer")?;
    let mut crowd = Crowd::with_files(folder.clone())?;
    let mut rows = BTreeMap::<usize, Row>::new();
    let mut sizes = args.processes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    for n in sizes.iter().chain(sizes.iter().rev()) {
        eprintln!("beside {n} processes");
        crowd.resize(*n)?;
        let rounds = if *n > 2000 { args.rounds.div_ceil(2) } else { args.rounds };
        // Each size is come to twice.
        measure(&program, rounds.div_ceil(2), rows.entry(*n).or_default())?;
    }
    drop(crowd);
    remove_folder(&folder)?;
    if json {
        println!("{}", summary(&rows));
    } else {
        print(&rows);
    }
    Ok(())
}

fn measure(program: &Path, rounds: u32, row: &mut Row) -> anyhow::Result<()> {
    row.add(&ask(program, &["sweeps", &rounds.to_string()])?)?;
    let listing = [program.as_os_str(), "columns".as_ref()];
    // The first of each brings its file into memory.
    let _ = (timed(&PS)?, timed(&listing)?);
    for _ in 0..rounds {
        row.add(&json!({"ps_ms": [timed(&PS)?], "columns_ms": [timed(&listing)?]}))?;
    }
    if row.peak_rss_mb.is_none() {
        let answer = ask(program, &["memory", SWEEPS])?;
        let kib = answer["peak_rss_kib"].as_f64().context("the program tells no peak")?;
        row.peak_rss_mb = Some(rounded(kib * 1024.0 / 1e6));
    }
    Ok(())
}

/// What the measuring program answers.
fn ask(program: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut command = Tied::command(program);
    let output = command.args(arguments).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run `{}`", program.display()))?;
    ensure!(output.status.success(), "`{} {}` failed: {}", program.display(), arguments.join(" "), output.status);
    serde_json::from_slice(&output.stdout).context("the measuring program's answer is no JSON")
}

/// Milliseconds of a CPU from the start of a process to its end.
fn timed<S: AsRef<OsStr>>(command: &[S]) -> anyhow::Result<f64> {
    let [program, arguments @ ..] = command else { return Ok(0.0) };
    let name = program.as_ref().display();
    let spawned = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut child = spawned.with_context(|| format!("cannot run `{name}`"))?;
    // Until it is waited for, the kernel tells what it has used.
    waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let used = used_ms(&child);
    let status = child.wait()?;
    ensure!(status.success(), "`{name}` failed: {status}");
    used
}

fn used_ms(child: &Child) -> anyhow::Result<f64> {
    let path = format!("/proc/{}/schedstat", child.id());
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    Ok(nanoseconds.with_context(|| format!("expected nanoseconds in `{path}`, found `{text}`"))? / 1e6)
}

/// The ratios at 1,000 processes, and everything that was measured.
fn summary(rows: &BTreeMap<usize, Row>) -> Value {
    let at = |n: usize| rows.get(&n);
    let ratio = |of: &str, to: &str| at(1000).and_then(|row| row.ratio(of, to));
    json!({
        "machine": machine(),
        "sweep_vs_floor": ratio("full_sweep_ms", "floor_ms"),
        "sweep_vs_full_floor": ratio("usual_sweep_ms", "floor_ms"),
        "sweep_vs_procfs": ratio("full_sweep_ms", "procfs_ms"),
        "sweep_vs_ps": ratio("columns_ms", "ps_ms"),
        "per_process_5000_vs_1000": per_process(rows),
        "peak_rss_mb": at(1000).and_then(|row| row.peak_rss_mb),
        "sizes": rows.iter().map(|(n, row)| row.told(*n)).collect::<Vec<_>>(),
    })
}

fn per_process(rows: &BTreeMap<usize, Row>) -> Option<f64> {
    let cost = |n: usize| rows.get(&n)?.per_process("full_sweep_ms");
    Some(row::hundredths(cost(5000)? / cost(1000)?))
}

fn print(rows: &BTreeMap<usize, Row>) {
    println!("{}\n", machine());
    println!(
        "| processes | descriptors | full sweep | raw floor | full / floor | usual / floor | `procfs` | full / `procfs` | `ps` | \
         its columns | columns / `ps` | peak RSS |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value}"));
    for row in rows.values() {
        let ms = |name| format!("{} ms", shown(row.median(name).map(rounded)));
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
    println!("\ncost of a full sweep per process at 5,000 processes against 1,000: {}", shown(per_process(rows)));
}
