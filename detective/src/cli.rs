//! The command line: global flags, and the list of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    alerts::AlertsArgs, baseline::BaselineArgs, evaluate::EvaluateArgs, explain::ExplainArgs, fault::FaultArgs,
    record::RecordArgs, replay::ReplayArgs, topics::TopicsCommand, up::UpArgs,
};

/// Find the root cause of a failure on a Linux host: the process, file, endpoint or control group
/// where it started.
#[derive(Debug, Parser)]
#[command(
    name = "detective",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  detective up                        learn what healthy looks like, then watch
  detective up --learn 300 --json     learn from 300 snapshots; print events as JSON lines
  detective alerts --since 1h         events of the last hour
  detective explain 3f9c              all evidence of one incident
  detective baseline --for 10m        learn from the next ten minutes too
  detective doctor                    what is missing from snapshots, and why"
)]
pub struct Cli {
    /// Read settings from this TOML file. Environment variables DETECTIVE__SECTION__KEY and flags
    /// override it.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep data in this directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Log debug messages; twice: trace messages.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host: producer, trainer and scorer in one process, without a broker.
    Up(UpArgs),
    /// Print the events in the alerts topic.
    Alerts(AlertsArgs),
    /// Print all evidence of one incident.
    Explain(ExplainArgs),
    /// Declare the host healthy for a while, so that the next model learns from it.
    Baseline(BaselineArgs),
    /// Report what is missing from snapshots of this host, why, and the remedies.
    Doctor,
    /// Create or check the topics of a Kafka cluster.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Inject a fault, to see how the detective reports it.
    Fault(FaultArgs),
    /// Record snapshots, or the raw reads of sweeps, to a file.
    Record(RecordArgs),
    /// Publish a recording again, with current times.
    Replay(ReplayArgs),
    /// Measure how well root causes are found, on cases with a known answer.
    Evaluate(EvaluateArgs),
    /// Print the reference of all settings.
    #[command(hide = true)]
    Manual,
    // Not below `fault`: sweeps show processes with the arguments `fault helper`, and must not show
    // this one.
    /// Undo a fault once the process that injected it has exited.
    #[command(hide = true)]
    Guard,
}

impl Cli {
    /// Keys and values of the settings that flags override.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = match &self.command {
            Command::Up(up) => up.settings(),
            Command::Baseline(baseline) => baseline.settings(),
            Command::Record(record) => record.settings(),
            _ => Vec::new(),
        };
        settings.push(("bus.path", self.data.as_ref().map(|data| data.to_string_lossy().into_owned())));
        settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}
