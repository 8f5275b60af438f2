//! The topics of a Kafka cluster: made, and seen to be as they must be.

use std::process::ExitCode;

use bus::{BusError, BusKind, topics};
use clap::Subcommand;
use service::Hint;

use crate::{config::Config, output::print};

/// What to do with the topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Make what is missing and set what differs.
    Apply,
    /// Print what is not as it must be, and fail if anything is.
    Check,
}

/// Prints a line for each topic setting that was changed, or that should be.
///
/// # Errors
/// If no broker answers or it refuses.
pub async fn run(config: Config, command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    if config.bus.kind == BusKind::Embedded {
        print("the embedded bus makes its topics by itself (`bus.kind = \"kafka\"` names another)\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (differences, outcome) = match command {
        TopicsCommand::Apply => (topics::apply(&config.bus).await, ExitCode::SUCCESS),
        TopicsCommand::Check => (topics::check(&config.bus).await, ExitCode::FAILURE),
    };
    let differences = differences.hint_from(BusError::hint)?;
    if differences.is_empty() {
        print(&format!("the topics on {} are as they must be\n", config.bus.kafka.brokers))?;
        return Ok(ExitCode::SUCCESS);
    }
    for difference in differences {
        print(&match (command, difference.setting) {
            (TopicsCommand::Check, _) => format!("{difference}\n"),
            (TopicsCommand::Apply, "topic") => format!("made {}\n", difference.topic),
            (TopicsCommand::Apply, setting) => {
                format!("{}: {setting} set from {} to {}\n", difference.topic, difference.found, difference.expected)
            }
        })?;
    }
    Ok(outcome)
}
