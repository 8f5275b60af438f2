//! The commands and their flags.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    alerts::AlertsArgs, baseline::BaselineArgs, evaluate::EvaluateArgs, explain::ExplainArgs, fault::FaultArgs,
    record::RecordArgs, replay::ReplayArgs, topics::TopicsCommand, up::UpArgs,
};

/// Names the root cause when something fails on this host: the process, file or endpoint that started it.
#[derive(Debug, Parser)]
#[command(
    name = "detective",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  detective up                        learn what healthy looks like here, then watch
  detective up --learn 300 --json     learn for five minutes; events as JSON lines
  detective alerts --since 1h         what happened in the last hour
  detective explain 3f9c              all the evidence of one incident
  detective baseline --for 10m        what happens now is normal: learn from it too
  detective doctor                    what can be seen from here, and what not"
)]
pub struct Cli {
    /// Settings in TOML; DETECTIVE__SECTION__KEY variables and flags go before it.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where Local Detective keeps its data.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Log more; twice for all.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host: producer, trainer and scorer in one process, with no broker.
    #[command(after_help = "\
Examples:
  detective up --interval 1s --learn 60
  detective up --json > events.jsonl
  detective up --relearn              forget what was learned and begin again")]
    Up(UpArgs),
    /// Print the events that the alerts topic holds.
    #[command(after_help = "\
Examples:
  detective alerts --since 10m
  detective alerts --follow --json | jq .summary")]
    Alerts(AlertsArgs),
    /// Print all that is known of one incident.
    #[command(after_help = "\
Examples:
  detective explain 3f9c2a1b          the first digits of an incident's id are enough
  detective explain last")]
    Explain(ExplainArgs),
    /// Vouch that the host is healthy for a while, whatever alarms: a new model then learns from it.
    #[command(after_help = "\
Example:
  detective baseline --for 10m        while the nightly backup runs")]
    Baseline(BaselineArgs),
    /// Tell what can be seen from here, what not, and why.
    Doctor,
    /// Make or verify the topics of a Kafka cluster.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Inject a fault on this host, to see what the detective reports.
    #[command(after_help = "\
Examples:
  detective fault list
  detective fault show flock
  detective fault start flock --for 1m
  detective fault start flock --json  prints the ground truth as one JSON line when the fault begins")]
    Fault(FaultArgs),
    /// Write snapshots of the bus, or all that sweeps of this host read, to a file.
    #[command(after_help = "\
Examples:
  detective record before.avro              what the bus holds now
  detective record night.avro --for 8h      what comes in the next eight hours
  detective record web.avro --since 10m --host web-1
  detective record --proc raw.avro --for 1m
                                            all that the kernel answers in a minute of sweeps
  detective record again.avro --from raw.avro
                                            the snapshots that these answers give")]
    Record(RecordArgs),
    /// Publish a recording again, as if its hosts were seen now.
    #[command(after_help = "\
Examples:
  detective replay night.avro --data /tmp/again
  detective replay night.avro --speed 60    an hour in a minute
  detective replay night.avro --speed max --hosts 100")]
    Replay(ReplayArgs),
    /// Measure how well root causes are found, on cases with a known answer.
    Evaluate(EvaluateArgs),
    /// Print the manual of all settings.
    #[command(hide = true)]
    Manual,
    // The arguments must not contain `fault helper`: the producer must not report this process.
    /// Undo a fault when the process that injected it is gone.
    #[command(hide = true)]
    Guard,
}

impl Cli {
    /// Flags that stand for settings, by key.
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
