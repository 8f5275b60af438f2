//! Tasks of this repository: `cargo xtask TASK`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ci;
mod compose_check;
mod kafka;
mod measure;
mod reference;
mod repository;
mod tidy;
mod vm;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// All that a change must pass: format, lints, tidy, tests, and the tests that need something.
    Ci,
    /// Check what the compiler does not: dependency direction, promises and nevers, file sizes, golden files.
    Tidy,
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

fn main() -> ExitCode {
    let outcome = match Xtask::parse().task {
        Task::Ci => ci::run(),
        Task::Tidy => tidy::run(),
        Task::Reference => reference::run(),
        Task::ComposeCheck(args) => compose_check::run(&args),
        Task::Vm => vm::run(),
        Task::Kafka(args) => kafka::run(&args),
        Task::Measure(args) => measure::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
