//! What a person types: everything in one process, or a look at what it found.
//!
//! **Promises:** standard output carries results alone, standard error the rest; every failure says what to do about it.
//!
//! **Never:** computes no score. It links producer, trainer and scorer, and shows what they publish.
//!
//! - [`cli`]: the commands and their flags
//! - [`config`]: the settings of all parts, from file, environment and flags
//! - [`up`]: all three parts in one process on the embedded bus
//! - [`alerts`], [`explain`]: what the alerts topic holds
//! - [`baseline`]: the operator vouches for a while
//! - [`doctor`]: what can be seen from here, and what not
//! - [`fault`]: injects faults, by the crate `faults`
//! - [`evaluate`]: how good the detective is, by the crate `evaluation`
//! - [`topics`]: the topics of a Kafka cluster
//! - [`record`], [`replay`]: snapshots from the bus into a file, and back; or what sweeps of this host read, into a file that gives
//!   the same snapshots

pub mod alerts;
pub mod baseline;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod evaluate;
pub mod explain;
pub mod fault;
mod output;
mod owner;
pub mod record;
pub mod replay;
pub mod topics;
pub mod up;

use std::process::ExitCode;

use cli::{Cli, Command};

/// Runs a command to its end.
///
/// # Errors
/// What stopped it, with hints where there is one.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    service::telemetry::init(
        i8::try_from(cli.verbose).unwrap_or(i8::MAX),
        service::report::should_colour(&std::io::stderr()),
    )?;
    let config = config::load(cli.config.clone(), cli.settings())?;
    match cli.command {
        Command::Up(up) => up::run(config, &up).await,
        Command::Alerts(alerts) => alerts::run(config, &alerts).await,
        Command::Explain(explain) => explain::run(config, &explain).await,
        Command::Baseline(baseline) => baseline::run(config, &baseline).await,
        Command::Doctor => doctor::run(config).await,
        Command::Record(record) => record::run(config, &record).await,
        Command::Replay(replay) => replay::run(config, &replay).await,
        Command::Evaluate(evaluate) => evaluate::run(config, &evaluate).await,
        Command::Manual => config::print_manual(),
        Command::Guard => faults::guard::run(),
        Command::Fault(fault) => fault::run(&fault.command),
        Command::Topics(command) => return topics::run(config, &command).await,
    }?;
    Ok(ExitCode::SUCCESS)
}
