//! The program `detective`: its command line, and all three programs in one process.
//!
//! **Promises:** standard output contains results and nothing else; logs and errors go to standard
//! error. Errors come with a hint what to do.
//!
//! **Never:** no scores. This crate connects producer, trainer and scorer, and prints what they
//! publish.
//!
//! In reading order:
//! - [`cli`]: global flags, and the list of commands; each command has its flags in its own file
//! - [`config`]: all settings, from file, environment and flags
//! - [`up`]: producer, trainer and scorer on the embedded bus; `data_lock`: one at a time
//! - [`alerts`], [`explain`]: the content of the alerts topic
//! - [`baseline`]: declares a host healthy
//! - [`doctor`]: what snapshots of this host lack
//! - [`topics`]: the topics of a Kafka cluster
//! - [`fault`]: fault injection, by the crate `faults`
//! - [`evaluate`]: how well root causes are found, by the crate `evaluation`
//! - [`record`], [`replay`]: recordings
//! - `output`: prints and formats

pub mod alerts;
pub mod baseline;
pub mod cli;
pub mod config;
mod data_lock;
pub mod doctor;
pub mod evaluate;
pub mod explain;
pub mod fault;
mod output;
pub mod record;
pub mod replay;
pub mod topics;
pub mod up;

use std::process::ExitCode;

use cli::{Cli, Command};

/// Runs a command to its end.
///
/// # Errors
/// The error of the command, with hints.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    service::telemetry::init(
        i8::try_from(cli.verbose).unwrap_or(i8::MAX),
        service::report::should_colour(&std::io::stderr()),
    )?;
    let config = config::load(cli.config.clone(), cli.settings())?;
    match cli.command {
        Command::Up(args) => up::run(config, &args).await,
        Command::Alerts(args) => alerts::run(config, &args).await,
        Command::Explain(args) => explain::run(config, &args).await,
        Command::Baseline(args) => baseline::run(config, &args).await,
        Command::Doctor => doctor::run(config).await,
        Command::Record(args) => record::run(config, &args).await,
        Command::Replay(args) => replay::run(config, &args).await,
        Command::Evaluate(args) => evaluate::run(config, &args).await,
        Command::Manual => config::print_manual(),
        Command::Guard => faults::guard::run(),
        Command::Fault(args) => fault::run(&args.command),
        Command::Topics(command) => return topics::run(config, &command).await,
    }?;
    Ok(ExitCode::SUCCESS)
}
