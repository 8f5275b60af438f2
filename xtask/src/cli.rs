//! The tasks of `cargo xtask`.

use clap::{Parser, Subcommand};

use crate::{ci, compose_check, kafka, measure, reference, sample, tidy, vm};

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository")]
pub struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// All that a change must pass: format, lints, tidy, tests, and the tests that need something.
    Ci,
    /// Check what the compiler does not: dependencies, imports, sizes, wording, golden files.
    Tidy(tidy::TidyArgs),
    /// Print random names and doc comments, for a reader who has not seen the project to explain.
    Sample(sample::SampleArgs),
    /// Write the manual of all settings, `docs/configuration.md`.
    Reference,
    /// Prove on a Docker engine that what `docker-compose.yml` starts names the culprit of a fault.
    ComposeCheck(compose_check::ComposeCheckArgs),
    /// Run the producer's tests in an emulated machine: Debian 12's kernel, control groups of version 2 alone.
    Vm,
    /// An Apache Kafka for tests, on this machine.
    Kafka(kafka::KafkaArgs),
    /// Measure, and print a table.
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
            Task::Tidy(args) => tidy::run(args),
            Task::Sample(args) => sample::run(args),
            Task::Reference => reference::run(),
            Task::ComposeCheck(args) => compose_check::run(args),
            Task::Vm => vm::run(),
            Task::Kafka(args) => kafka::run(args),
            Task::Measure(args) => measure::run(args),
        }
    }
}
