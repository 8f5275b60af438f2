//! Measures the cost of a sweep of this host beside what it can be compared with. `cargo xtask
//! measure producer` runs it and prints the table.
//!
//! - `cost sweeps [ROUNDS]`: rounds of a sweep, its raw floor and the `procfs` crate, one after
//!   another; JSON
//! - `cost columns`: the columns of `ps`, as a process of its own like `ps`
//! - `cost memory [SWEEPS]`: peak memory of that many sweeps and their records; JSON

use std::{hint::black_box, io::Write};

use anyhow::{Context, bail};
use hostread::{ProcRoot, Tape, ps};
use producer::{Producer, SweepConfig, Sweeper};
use serde_json::json;

mod dump;
mod floor;
mod questions;
mod rounds;
mod theirs;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |default| arguments.get(1).map_or(Ok(default), |text| text.parse());
    match arguments.first().map(String::as_str) {
        Some("sweeps") => println!("{}", rounds::measure(number(15)?)?),
        Some("columns") => print_columns()?,
        Some("memory") => println!("{}", json!({"peak_rss_kib": peak_kib(number(60)?)?})),
        _ => bail!("expected `sweeps`, `columns` or `memory`"),
    }
    Ok(())
}

/// A producer of this host. With `reread` it reads the files of all processes in every sweep; facts
/// such as the executable are reread only in some.
fn producer(reread: bool) -> Producer {
    Producer::new("", "", SweepConfig { reread, ..SweepConfig::default() }, Vec::new())
}

fn print_columns() -> anyhow::Result<()> {
    let root = ProcRoot::open(&SweepConfig::default().proc, Tape::default())?;
    let ticks = rustix::param::clock_ticks_per_second();
    let page = rustix::param::page_size() as u64;
    let mut text = Vec::new();
    writeln!(text, "    PID    PPID S NLWP   RSS     TIME  MAJFL COMMAND")?;
    for line in ps::list_processes(&root, &mut Vec::new())? {
        let state = char::from(line.state);
        let seconds = line.cpu_ticks / ticks;
        let kib = line.resident_pages.here().map_or("?".to_owned(), |pages| (pages * page / 1024).to_string());
        write!(text, "{:7} {:7} {state} {:4} {kib:>5} ", line.pid, line.parent, line.threads)?;
        writeln!(text, "{seconds:8} {:6} {}", line.major_faults, line.comm)?;
    }
    Ok(std::io::stdout().write_all(&text)?)
}

/// Like the program: encodes each snapshot as a record and drops both.
fn peak_kib(sweeps: usize) -> anyhow::Result<u64> {
    let mut sweeper = Sweeper::new(producer(false))?;
    for _ in 0..sweeps {
        black_box(schemas::encode(&sweeper.sweep()?)?);
    }
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read `/proc/self/status`")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
    peak.context("no VmHWM in `/proc/self/status`")?.trim().parse().context("VmHWM is no number")
}
