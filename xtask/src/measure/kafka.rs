//! `detective-producer`, `detective-scorer` and `detective-trainer` on a real Apache Kafka.
//!
//! Each measurement has a Kafka of its own, because that is a process of this host with a file open for each partition, and the
//! programs see it. Should one run that `cargo xtask kafka up` started, that is taken, and the topics of the measurement
//! stay in it. The programs see all other processes of this host too: what counts is how many nodes a snapshot has,
//! so that is told beside the figures.

use std::{path::Path, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::{build_release, crowd::Crowd, machine, wait};
use crate::kafka::Kafka;
use programs::Programs;

mod latency;
mod programs;
pub mod trouble;

/// What to measure.
#[derive(Args)]
pub struct KafkaArgs {
    /// How many idle processes to start beside them; alerts are measured beside the fewest.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    processes: Vec<usize>,
    /// How many snapshots to learn from.
    #[arg(long, default_value_t = 60)]
    learn: u32,
    /// How many events to wait for.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
}

/// How long all are left at work after the first snapshot was scored.
const SCORING: Duration = Duration::from_secs(30);
/// The key of a program's figure in the answer.
const PEAKS: [(&str, &str); 3] = [
    ("detective-producer", "producer_peak_rss_mb"),
    ("detective-scorer", "scorer_peak_rss_mb"),
    ("detective-trainer", "trainer_peak_rss_mb"),
];

/// Measures and prints.
///
/// # Errors
/// If Kafka or the programs cannot be started, or do not come to what is measured.
pub fn run(args: &KafkaArgs, json: bool) -> anyhow::Result<()> {
    // The same selection as the tests' and the images', of which `detective` has Kafka in it too.
    let release = build_release(&["--workspace"])?;
    let memory = args.processes.iter().map(|n| measure_memory(&release, *n, args.learn));
    let memory = memory.collect::<Result<Vec<Value>, _>>()?;
    let fewest = args.processes.iter().min().copied().unwrap_or(0);
    let latency = latency::measure(&release, fewest, args.learn, args.events as usize)?;
    if json {
        println!("{}", json!({"machine": machine(), "kafka": memory, "alert_latency_ms": latency}));
    } else {
        print(&memory, &latency);
    }
    Ok(())
}

/// The peak of each program, from its start over learning and training to a while of scoring.
fn measure_memory(release: &Path, processes: usize, learn: u32) -> anyhow::Result<Value> {
    let _crowd = Crowd::start(processes)?;
    let kafka = Kafka::start()?;
    let mut programs = Programs::prepare(release, &kafka, &format!("memory-{processes}"), learn)?;
    eprintln!("beside {processes} processes: learning from {learn} snapshots");
    for (program, _) in PEAKS.iter().rev() {
        programs.start(program)?;
    }
    programs.await_ready(Duration::from_secs(learn.into()))?;
    eprintln!("beside {processes} processes: scoring");
    wait(SCORING);
    let mut row = json!({"processes": processes});
    for (program, key) in PEAKS {
        row[key] = json!(programs.peak_rss_mb(program)?);
    }
    // Asked last: the answer takes memory.
    row["nodes"] = json!(programs.nodes(None)?);
    programs.end()?;
    Ok(row)
}

fn print(memory: &[Value], latency: &Value) {
    println!("{}\n", machine());
    println!(
        "| processes beside them | nodes in a snapshot | peak RSS of the producer | of the scorer | of the trainer |"
    );
    println!("|---|---|---|---|---|");
    for row in memory {
        let [producer, scorer, trainer] = PEAKS.map(|(_, key)| &row[key]);
        println!("| {} | {} | {producer} MB | {scorer} MB | {trainer} MB |", row["processes"], row["nodes"]);
    }
    let [p50, p99, n, hosts, nodes] = ["p50", "p99", "n", "hosts", "nodes"].map(|key| &latency[key]);
    println!("\nfrom the end of a sweep to its event on the alerts topic: p50 {p50} ms, p99 {p99} ms");
    println!("({n} events of {hosts} hosts, {nodes} nodes in a snapshot)");
}
