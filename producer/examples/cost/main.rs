//! What a sweep of this host costs, beside what it can be compared with; run and tabled by `cargo xtask measure producer`.
//!
//! - `cost sweeps [ROUNDS]`: rounds of a sweep, its raw floor and the `procfs` crate, one after another; JSON
//! - `cost columns`: what `ps` lists, as a process like `ps`
//! - `cost memory [SWEEPS]`: the most memory that so many sweeps and their records take; JSON

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

/// A producer of this host; one that rereads reads the files of all processes in every sweep. What they are is asked again in some only.
fn producer(reread: bool) -> Producer {
    Producer::new("", "", SweepConfig { reread, ..SweepConfig::default() }, Vec::new())
}

fn print_columns() -> anyhow::Result<()> {
    let root = ProcRoot::open(&SweepConfig::default().proc, Tape::default())?;
    let (ticks, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64);
    let mut text = Vec::new();
    writeln!(text, "    PID    PPID S NLWP   RSS     TIME  MAJFL COMMAND")?;
    for line in ps::list_processes(&root, &mut Vec::new())? {
        let (state, seconds) = (char::from(line.state), line.cpu_ticks / ticks);
        let kib = line.resident_pages.here().map_or("?".to_owned(), |pages| (pages * page / 1024).to_string());
        write!(text, "{:7} {:7} {state} {:4} {kib:>5} ", line.pid, line.parent, line.threads)?;
        writeln!(text, "{seconds:8} {:6} {}", line.major_faults, line.comm)?;
    }
    Ok(std::io::stdout().write_all(&text)?)
}

/// As the program does: each snapshot is made a record, and both are let go.
fn peak_kib(sweeps: usize) -> anyhow::Result<u64> {
    let mut sweeper = Sweeper::new(producer(false))?;
    for _ in 0..sweeps {
        black_box(schemas::encode(&sweeper.sweep()?)?);
    }
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read `/proc/self/status`")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
    peak.context("no VmHWM in `/proc/self/status`")?.trim().parse().context("VmHWM is no number")
}
