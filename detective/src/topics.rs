//! `detective topics`: creates or checks the topics of a Kafka cluster.

use std::process::ExitCode;

use bus::{BusError, BusKind, topics};
use clap::Subcommand;
use service::Hint;

use crate::{config::Config, output::print};

/// What to do with the topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Create missing topics, and correct their settings.
    Apply,
    /// Print missing topics and wrong settings. The exit status is 1 if there are any.
    Check,
}

/// Prints a line for each topic setting that was changed, or that is wrong.
///
/// # Errors
/// If no broker answers, or it refuses.
pub async fn run(config: Config, command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    if config.bus.kind == BusKind::Embedded {
        print("the embedded bus creates its topics itself (`bus.kind = \"kafka\"` selects Kafka)\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (differences, exit_code) = match command {
        TopicsCommand::Apply => (topics::apply(&config.bus).await, ExitCode::SUCCESS),
        TopicsCommand::Check => (topics::check(&config.bus).await, ExitCode::FAILURE),
    };
    let differences = differences.hint_from(BusError::hint)?;
    if differences.is_empty() {
        print(&format!("the topics on {} are correct\n", config.bus.kafka.brokers))?;
        return Ok(ExitCode::SUCCESS);
    }
    for difference in differences {
        print(&match (command, difference.setting) {
            (TopicsCommand::Check, _) => format!("{difference}\n"),
            (TopicsCommand::Apply, "topic") => format!("created {}\n", difference.topic),
            (TopicsCommand::Apply, setting) => {
                format!("{}: {setting} set from {} to {}\n", difference.topic, difference.found, difference.expected)
            }
        })?;
    }
    Ok(exit_code)
}
