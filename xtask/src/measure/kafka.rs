//! Memory and latency of `detective-producer`, `detective-scorer` and `detective-trainer` on a real
//! Apache Kafka.
//!
//! Each measurement starts a Kafka of its own, because the producer sees it: a process with an open
//! file for each partition. A Kafka that `cargo xtask kafka up` started is used instead if it runs,
//! and keeps the topics of the measurement. A snapshot also holds the other processes of the host,
//! so the number of its nodes is printed beside each figure.

use std::{path::Path, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::{idle_processes::IdleProcesses, machine, release};
use crate::{kafka::Kafka, time::pause};
use programs::Programs;

mod latency;
pub mod log_writers;
mod programs;

/// How many processes, snapshots and events.
#[derive(Args)]
pub struct KafkaArgs {
    /// How many idle processes to start; latency is measured beside the smallest number.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    processes: Vec<usize>,
    /// How many snapshots to learn from.
    #[arg(long, default_value_t = 60)]
    learn: u32,
    /// How many events to measure the latency of.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
}

/// How long the programs run after the first scored snapshot, before their peak memory is read.
const SCORING: Duration = Duration::from_secs(30);
/// The programs, and the key of each one's figure.
const PEAKS: [(&str, &str); 3] = [
    ("detective-producer", "producer_peak_rss_mb"),
    ("detective-scorer", "scorer_peak_rss_mb"),
    ("detective-trainer", "trainer_peak_rss_mb"),
];

/// Measures and prints.
///
/// # Errors
/// If Kafka or a program cannot be started, or does not finish learning in time.
pub fn run(args: &KafkaArgs, json: bool) -> anyhow::Result<()> {
    // The features of the whole workspace, so that `detective` includes Kafka.
    let release = release::build(&["--workspace"])?;
    let memory = args.processes.iter().map(|n| measure_memory(&release, *n, args.learn));
    let memory = memory.collect::<Result<Vec<Value>, _>>()?;
    let fewest = args.processes.iter().min().copied().unwrap_or(0);
    let latency = latency::measure(&release, fewest, args.learn, args.events as usize)?;
    if json {
        println!("{}", json!({"machine": machine::describe(), "kafka": memory, "alert_latency_ms": latency}));
    } else {
        print_tables(&memory, &latency);
    }
    Ok(())
}

/// The peak memory of each program while it starts, learns, trains and scores.
fn measure_memory(release: &Path, processes: usize, learn: u32) -> anyhow::Result<Value> {
    let _idle = IdleProcesses::start(processes)?;
    let kafka = Kafka::start()?;
    let mut programs = Programs::prepare(release, &kafka, &format!("memory-{processes}"), learn)?;
    eprintln!("beside {processes} processes: learning from {learn} snapshots");
    for (program, _) in PEAKS.iter().rev() {
        programs.start(program)?;
    }
    programs.wait_until_ready(Duration::from_secs(learn.into()))?;
    eprintln!("beside {processes} processes: scoring");
    pause(SCORING);
    let mut row = json!({"processes": processes});
    for (program, key) in PEAKS {
        row[key] = json!(programs.peak_rss_mb(program)?);
    }
    // Last, because the response takes memory.
    row["nodes"] = json!(programs.node_count(None)?);
    programs.end()?;
    Ok(row)
}

fn print_tables(memory: &[Value], latency: &Value) {
    println!("{}\n", machine::describe());
    println!(
        "| idle processes | nodes in a snapshot | peak RSS of the producer | of the scorer | of the trainer |\n\
         |---|---|---|---|---|"
    );
    for row in memory {
        let [producer, scorer, trainer] = PEAKS.map(|(_, key)| &row[key]);
        println!("| {} | {} | {producer} MB | {scorer} MB | {trainer} MB |", row["processes"], row["nodes"]);
    }
    let [p50, p99, n, hosts, nodes] = ["p50", "p99", "n", "hosts", "nodes"].map(|key| &latency[key]);
    println!("\nfrom the end of a sweep to its event on the alerts topic: p50 {p50} ms, p99 {p99} ms");
    println!("({n} events of {hosts} hosts, {nodes} nodes in a snapshot)");
}
