//! Measures the figures that `docs/measurements.md` lists.

use std::path::PathBuf;

use clap::{Args, Subcommand};

mod idle_processes;
mod kafka;
mod machine;
mod producer;
pub mod release;
mod rounding;
mod scorer;
pub mod scratch;
mod up;

/// Which figures to measure, and how to print them.
#[derive(Args)]
pub struct MeasureArgs {
    #[command(subcommand)]
    measurement: Measurement,
    /// Print only JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Measurement {
    /// Measure the peak memory of `detective up`, training included, beside idle processes.
    Up {
        /// How many idle processes to start; one measurement each.
        #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
        processes: Vec<usize>,
        /// How many snapshots to learn from.
        #[arg(long, default_value_t = 60)]
        learn: u32,
    },
    /// Compare the CPU time of a sweep with that of its system calls, the `procfs` crate and `ps`.
    Producer(producer::ProducerArgs),
    /// Measure the CPU time of scoring, blame and incidents by the number of nodes.
    Scorer(scorer::ScorerArgs),
    /// Measure the peak memory of the three programs on Kafka, and the latency from sweep to alert.
    Kafka(kafka::KafkaArgs),
    /// Append to a file under its lock. `measure kafka` starts this.
    #[command(hide = true)]
    Writer { file: PathBuf },
}

/// Measures and prints.
///
/// # Errors
/// If a program cannot be built or run.
pub fn run(args: &MeasureArgs) -> anyhow::Result<()> {
    match &args.measurement {
        Measurement::Up { processes, learn } => up::run(processes, *learn, args.json),
        Measurement::Producer(producer) => producer::run(producer, args.json),
        Measurement::Scorer(scorer) => scorer::run(scorer, args.json),
        Measurement::Kafka(kafka) => kafka::run(kafka, args.json),
        Measurement::Writer { file } => kafka::log_writers::append_forever(file),
    }
}
