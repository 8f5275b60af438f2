//! The tasks of `cargo xtask`.

use clap::{Parser, Subcommand};

use crate::{ci, compose_check, kafka, measure, reference, sample, soak, tidy, vm};

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository")]
pub struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything that a change must pass: format, lints, tidy, both workloads and all tests.
    Ci,
    /// Check what the compiler does not: dependencies, imports, sizes, wording, golden files.
    Tidy,
    /// Print random names and doc comments, for a reader who has not seen the project to explain.
    Sample(sample::SampleArgs),
    /// Write the rendered pages, `docs/configuration.md` and `docs/signals.md`.
    Reference,
    /// Check on a Docker engine that the programs of `docker-compose.yml` find a root cause.
    ComposeCheck(compose_check::ComposeCheckArgs),
    /// Run the producer's tests in an emulated machine with Debian 12's kernel.
    Vm,
    /// Start or end an Apache Kafka for tests on this machine.
    Kafka(kafka::KafkaArgs),
    /// Run `detective up` for a long time beside processes that do unusual things.
    Soak(soak::SoakArgs),
    /// Measure the figures of `docs/measurements.md` and print tables.
    Measure(measure::MeasureArgs),
}

impl Xtask {
    /// Runs the task.
    ///
    /// # Errors
    /// What the task reports.
    pub fn run(&self) -> anyhow::Result<()> {
        match &self.task {
            Task::Ci => ci::run(),
            Task::Tidy => tidy::run(),
            Task::Sample(args) => sample::run(args),
            Task::Reference => reference::run(),
            Task::ComposeCheck(args) => compose_check::run(args),
            Task::Vm => vm::run(),
            Task::Kafka(args) => kafka::run(args),
            Task::Soak(args) => soak::run(args),
            Task::Measure(args) => measure::run(args),
        }
    }
}
