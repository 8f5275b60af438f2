//! Figures that `docs/measurements.md` lists, measured anew.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};

use crate::repository::{root, target};

mod api;
mod crowd;
mod faults;
mod kafka;
mod producer;
mod tied;
mod up;

/// What to measure, and how to print it.
#[derive(Args)]
pub struct MeasureArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON alone.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Peak resident memory of `detective up`, training included, beside this many idle processes.
    Up {
        /// How many processes to start.
        #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
        processes: Vec<usize>,
        /// How many snapshots to learn from.
        #[arg(long, default_value_t = 60)]
        learn: u32,
    },
    /// What a sweep costs beside its raw floor, the `procfs` crate and `ps`, with so many live processes.
    Producer(producer::ProducerArgs),
    /// The three programs on a real Kafka: peak resident memory of each, and how long after a sweep its event can be read.
    Kafka(kafka::KafkaArgs),
    /// A trial on this host: whether the culprit of each of many faults is named, and named first.
    Faults(faults::FaultsArgs),
    /// Append to a file under its lock, for `kafka`.
    #[command(hide = true)]
    Writer { file: PathBuf },
}

/// Measures and prints.
///
/// # Errors
/// If what is measured cannot be built or run.
pub fn run(args: &MeasureArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Up { processes, learn } => up::run(processes, *learn, args.json),
        What::Producer(what) => producer::run(what, args.json),
        What::Kafka(what) => kafka::run(what, args.json),
        What::Faults(what) => faults::run(what, args.json),
        What::Writer { file } => kafka::trouble::write_lines(file),
    }
}

/// Builds what cargo is told, and returns the folder with the programs.
fn build_release(selection: &[&str]) -> anyhow::Result<PathBuf> {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--quiet"]).args(selection).current_dir(root());
    let status = build.status().context("cannot run `cargo`")?;
    ensure!(status.success(), "the release build failed: {status}");
    Ok(target().join("release"))
}

/// An empty folder below the target directory.
fn empty_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = target().join(name);
    remove_folder(&folder)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    Ok(folder)
}

fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Does nothing for a while.
fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// To a tenth.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    format!("{cores} cores, {} GB, Linux {}", total / 1_000_000, kernel.trim())
}
