//! `detective up`: all in one process.

use std::{
    io::Read,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{build_release, crowd::Crowd, empty_folder, machine, remove_folder, rounded, tied::Tied};

/// How long `up` may take from its start to scoring, learning included.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it is left scoring before its peak is read.
const SCORING: Duration = Duration::from_secs(10);

/// Measures it beside each of these numbers of processes.
///
/// # Errors
/// If it cannot be built or run.
pub fn run(processes: &[usize], learn: u32, json: bool) -> anyhow::Result<()> {
    let program = build_release(&[])?.join("detective");
    let rows = processes.iter().map(|n| measure(&program, *n, learn)).collect::<Result<Vec<Value>, _>>()?;
    if json {
        println!("{}", json!({"machine": machine(), "up": rows}));
        return Ok(());
    }
    println!("{}\n", machine());
    println!("| processes beside it | peak RSS of `up` | ready after the last learned snapshot |\n|---|---|---|");
    for row in &rows {
        println!("| {} | {} MB | {} s |", row["processes"], row["peak_rss_mb"], row["ready_s"]);
    }
    Ok(())
}

fn measure(program: &Path, processes: usize, learn: u32) -> anyhow::Result<Value> {
    let _crowd = Crowd::start(processes)?;
    let data = empty_folder(&format!("measure-up-{processes}"))?;
    let mut command = Tied::command(program);
    command
        .args(["up", "--listen", "127.0.0.1:0", "--learn", &learn.to_string(), "--data"])
        .arg(&data)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut up = Tied::start("detective up", &mut command)?;
    let measured = watch(&mut up, learn);
    drop(up);
    let (peak_rss_mb, ready) = measured?;
    remove_folder(&data)?;
    Ok(json!({"processes": processes, "peak_rss_mb": peak_rss_mb, "ready_s": ready}))
}

/// Follows what `up` says until it scores, and reads its peak a while after.
fn watch(up: &mut Tied, learn: u32) -> anyhow::Result<(f64, f64)> {
    let mut said = up.stderr().context("`up` has no standard error")?;
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
            let ready = rounded(learned_at.elapsed().as_secs_f64());
            std::thread::park_timeout(SCORING);
            return Ok((up.peak_rss_mb()?, ready));
        }
    }
    bail!("`up` was not ready within {PATIENCE:?}: {text}")
}
