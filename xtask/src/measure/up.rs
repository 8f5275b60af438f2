//! Memory of `detective up`, which runs everything in one process, and the time until it scores.

use std::{
    io::Read,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{idle_processes::IdleProcesses, machine, release, rounding::to_tenth, scratch};
use crate::scoped_child::ScopedChild;

/// From the start of `up` to scoring, learning included.
const READY_TIMEOUT: Duration = Duration::from_secs(300);
/// How long `up` scores before its peak memory is read.
const SCORING: Duration = Duration::from_secs(10);

/// Measures `up` beside each of these numbers of idle processes.
///
/// # Errors
/// If `up` cannot be built or run.
pub fn run(processes: &[usize], learn: u32, json: bool) -> anyhow::Result<()> {
    let program = release::build(&[])?.join("detective");
    let rows = processes.iter().map(|n| measure(&program, *n, learn)).collect::<Result<Vec<Value>, _>>()?;
    if json {
        println!("{}", json!({"machine": machine::describe(), "up": rows}));
        return Ok(());
    }
    println!("{}\n", machine::describe());
    println!("| idle processes | peak RSS of `up` | ready after the last learned snapshot |\n|---|---|---|");
    for row in &rows {
        println!("| {} | {} MB | {} s |", row["processes"], row["peak_rss_mb"], row["ready_s"]);
    }
    Ok(())
}

fn measure(program: &Path, processes: usize, learn: u32) -> anyhow::Result<Value> {
    let _idle = IdleProcesses::start(processes)?;
    let data = scratch::create(&format!("measure-up-{processes}"))?;
    let mut command = ScopedChild::command(program);
    command
        .args(["up", "--listen", "127.0.0.1:0", "--learn", &learn.to_string(), "--data"])
        .arg(&data)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut up = ScopedChild::start("detective up", &mut command)?;
    let measured = watch(&mut up, learn);
    drop(up);
    let (peak_rss_mb, ready_s) = measured?;
    scratch::remove(&data)?;
    Ok(json!({"processes": processes, "peak_rss_mb": peak_rss_mb, "ready_s": ready_s}))
}

/// Reads standard error of `up` until it scores, and its peak memory [`SCORING`] later. Returns
/// megabytes and the seconds from the last learned snapshot to scoring.
fn watch(up: &mut ScopedChild, learn: u32) -> anyhow::Result<(f64, f64)> {
    let mut stderr = up.take_stderr().context("`up` has no standard error")?;
    let (sender, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stderr.read(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    let start = Instant::now();
    let last_snapshot = format!("{learn}/{learn} snapshots");
    let mut text = String::new();
    let mut learned_at = None;
    while start.elapsed() < READY_TIMEOUT {
        text += &output.recv_timeout(READY_TIMEOUT).with_context(|| format!("`up` ended: {text}"))?;
        if learned_at.is_none() && text.contains(&last_snapshot) {
            learned_at = Some(Instant::now());
        }
        if let Some(learned_at) = learned_at.filter(|_| text.contains("model loaded")) {
            let ready_s = to_tenth(learned_at.elapsed().as_secs_f64());
            std::thread::park_timeout(SCORING);
            return Ok((up.peak_rss_mb()?, ready_s));
        }
    }
    bail!("`up` was not ready within {READY_TIMEOUT:?}: {text}")
}
