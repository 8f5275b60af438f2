//! Figures that `docs/measurements.md` lists, measured anew.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::repository::{root, target};

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
}

/// How long `up` may take from its start to scoring, learning included.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it is left scoring before its peak is read.
const SCORING: Duration = Duration::from_secs(10);

/// Measures and prints.
///
/// # Errors
/// If what is measured cannot be built or run.
pub fn run(args: &MeasureArgs) -> anyhow::Result<()> {
    let What::Up { processes, learn } = &args.what;
    let program = build_release()?;
    let mut rows = Vec::new();
    for n in processes {
        rows.push(measure_up(&program, *n, *learn)?);
    }
    let answer = json!({"machine": machine(), "up": rows});
    if args.json {
        println!("{answer}");
        return Ok(());
    }
    println!("{}\n", machine());
    println!("| processes beside it | peak RSS of `up` | ready after the last learned snapshot |\n|---|---|---|");
    for row in &rows {
        println!("| {} | {} MB | {} s |", row["processes"], row["peak_rss_mb"], row["ready_s"]);
    }
    Ok(())
}

fn build_release() -> anyhow::Result<PathBuf> {
    let status =
        Command::new("cargo").args(["build", "--release", "--locked", "--quiet"]).current_dir(root()).status()?;
    if !status.success() {
        bail!("the release build failed: {status}");
    }
    Ok(target().join("release/detective"))
}

/// Processes of our own that do nothing, ended when this is dropped.
struct Crowd {
    processes: Vec<Child>,
}

impl Crowd {
    fn start(n: usize) -> anyhow::Result<Crowd> {
        let mut crowd = Crowd { processes: Vec::with_capacity(n) };
        for _ in 0..n {
            let child = Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn().context("cannot run `sleep`")?;
            crowd.processes.push(child);
        }
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn measure_up(program: &Path, processes: usize, learn: u32) -> anyhow::Result<Value> {
    let _crowd = Crowd::start(processes)?;
    let data = target().join(format!("measure-up-{processes}"));
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data)?;
    let mut up = Command::new(program)
        .args(["up", "--listen", "127.0.0.1:0", "--learn", &learn.to_string(), "--data"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", program.display()))?;
    let measured = watch(&mut up, learn);
    let _ = up.kill();
    let _ = up.wait();
    let (peak_kib, ready) = measured?;
    let _ = std::fs::remove_dir_all(&data);
    Ok(json!({"processes": processes, "peak_rss_mb": peak_kib.div_ceil(1000), "ready_s": ready}))
}

/// Follows what `up` says until it scores, and reads its peak a while after.
fn watch(up: &mut Child, learn: u32) -> anyhow::Result<(u64, f64)> {
    let mut said = up.stderr.take().context("`up` has no standard error")?;
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = said.read(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    let begun = Instant::now();
    let (mut text, mut learned_at) = (String::new(), None);
    let last = format!("{learn}/{learn} snapshots");
    while begun.elapsed() < PATIENCE {
        text += &lines.recv_timeout(PATIENCE).with_context(|| format!("`up` ended: {text}"))?;
        if learned_at.is_none() && text.contains(&last) {
            learned_at = Some(Instant::now());
        }
        if let Some(learned_at) = learned_at.filter(|_| text.contains("model loaded")) {
            let ready = (learned_at.elapsed().as_secs_f64() * 10.0).round() / 10.0;
            std::thread::park_timeout(SCORING);
            return Ok((peak_rss_kib(up.id())?, ready));
        }
    }
    bail!("`up` was not ready within {PATIENCE:?}: {text}")
}

fn peak_rss_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in the status file")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    format!("{cores} cores, {} GB, Linux {}", total / 1_000_000, kernel.trim())
}
