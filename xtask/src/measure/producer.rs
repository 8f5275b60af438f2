//! CPU time of a sweep, compared in one run with that of its system calls, of the `procfs` crate
//! and of `ps`.
//!
//! Every figure is a median of rounds, in milliseconds of CPU time, which other load affects less
//! than elapsed time. Each round measures everything once, and the numbers of processes are
//! visited in ascending and in descending order, so that slow changes of the machine even out. A
//! sweep also reads the host's other processes; `unshare --pid --fork --mount-proc` excludes them.

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

use super::{idle_processes::IdleProcesses, release, rounding::to_tenth, scratch};
use crate::scoped_child::ScopedChild;
use row::Row;

mod report;
mod row;

/// How many processes and rounds.
#[derive(Args)]
pub struct ProducerArgs {
    /// How many idle processes to start; one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 5000])]
    processes: Vec<usize>,
    /// How many rounds to measure; half as many beside more than 2,000 processes.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Prints the same columns as the producer's listing.
const PS: [&str; 3] = ["ps", "-eo", "pid,ppid,state,nlwp,rss,cputimes,maj_flt,comm"];
/// How many sweeps the program makes before it reports its peak memory.
const SWEEPS: &str = "60";

/// Measures and prints.
///
/// # Errors
/// If the measuring program cannot be built or run.
pub fn run(args: &ProducerArgs, json: bool) -> anyhow::Result<()> {
    let selection = ["--package", "producer", "--no-default-features", "--example", "cost"];
    let program = release::build(&selection)?.join("examples/cost");
    let folder = scratch::create("measure-producer")?;
    let mut idle = IdleProcesses::with_open_files(folder.clone())?;
    let mut rows = BTreeMap::<usize, Row>::new();
    let mut sizes = args.processes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    for n in sizes.iter().chain(sizes.iter().rev()) {
        eprintln!("measuring beside {n} processes");
        idle.resize(*n)?;
        let rounds = if *n > 2000 { args.rounds.div_ceil(2) } else { args.rounds };
        // Each size is visited twice.
        measure(&program, rounds.div_ceil(2), rows.entry(*n).or_default())?;
    }
    drop(idle);
    scratch::remove(&folder)?;
    if json {
        println!("{}", report::to_json(&rows));
    } else {
        report::print_table(&rows);
    }
    Ok(())
}

fn measure(program: &Path, rounds: u32, row: &mut Row) -> anyhow::Result<()> {
    row.add(&run_for_json(program, &["sweeps", &rounds.to_string()])?)?;
    let listing = [program.as_os_str(), "columns".as_ref()];
    // The first run of each reads its program from disk.
    cpu_ms(&PS)?;
    cpu_ms(&listing)?;
    for _ in 0..rounds {
        row.add(&json!({"ps_ms": [cpu_ms(&PS)?], "columns_ms": [cpu_ms(&listing)?]}))?;
    }
    if row.peak_rss_mb.is_none() {
        let output = run_for_json(program, &["memory", SWEEPS])?;
        let kib = output["peak_rss_kib"].as_f64().context("the measuring program printed no `peak_rss_kib`")?;
        row.peak_rss_mb = Some(to_tenth(kib * 1024.0 / 1e6));
    }
    Ok(())
}

/// Runs the measuring program and parses what it prints.
fn run_for_json(program: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut command = ScopedChild::command(program);
    let output = command.args(arguments).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run `{}`", program.display()))?;
    ensure!(output.status.success(), "`{} {}` failed: {}", program.display(), arguments.join(" "), output.status);
    serde_json::from_slice(&output.stdout).context("the measuring program did not print JSON")
}

/// Runs a command and returns the CPU time of its process, in milliseconds.
fn cpu_ms<S: AsRef<OsStr>>(command: &[S]) -> anyhow::Result<f64> {
    let [program, arguments @ ..] = command else { return Ok(0.0) };
    let name = program.as_ref().display();
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut child = child.with_context(|| format!("cannot run `{name}`"))?;
    // The kernel keeps the counters of an ended process until its parent waits for it.
    waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let used_ms = read_cpu_ms(&child);
    let status = child.wait()?;
    ensure!(status.success(), "`{name}` failed: {status}");
    used_ms
}

fn read_cpu_ms(child: &Child) -> anyhow::Result<f64> {
    let path = format!("/proc/{}/schedstat", child.id());
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    Ok(nanoseconds.with_context(|| format!("expected nanoseconds in `{path}`, found `{text}`"))? / 1e6)
}
