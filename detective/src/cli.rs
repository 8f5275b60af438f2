//! The commands and their flags.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};

use crate::{
    fault::{catalogue, part::Part},
    replay::Speed,
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
    /// Make trouble on purpose, to see the detective at work.
    #[command(after_help = "\
Examples:
  detective fault list
  detective fault show flock
  detective fault start flock --for 1m
  detective fault start flock --json  what is true, as one JSON line, at the moment it begins")]
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
    /// Tell how good the detective is, over cases whose answers are known.
    #[command(after_help = "\
Examples:
  detective evaluate cases                  a table for each way to rank
  detective evaluate cases --hint           those who rank are told which node shows the symptom
  detective evaluate cases --json --pictures pictures
  detective evaluate trial --plan deploy/demo/plan.toml
                                            start a shop, learn, play every fault once, and judge that")]
    Evaluate(EvaluateArgs),
    /// Print the manual of all settings.
    #[command(hide = true)]
    Manual,
    /// Undo a fault when the process that started it is gone. No argument says `fault`: it is no part of one.
    #[command(hide = true)]
    Guard,
}

/// What to do with the topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Make what is missing and set what differs.
    Apply,
    /// Print what is not as it must be, and fail if anything is.
    Check,
}

/// Flags of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Time between two looks at the host [default: 1s].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Learn from this many snapshots before the first model [default: 60].
    #[arg(long, value_name = "SNAPSHOTS")]
    pub learn: Option<u32>,
    /// Address of the HTTP API [default: 127.0.0.1:7117].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
    /// Forget what was learned and begin again.
    #[arg(long)]
    pub relearn: bool,
    /// Print events as JSON, one a line, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Go on with what comes.
    #[arg(long)]
    pub follow: bool,
    /// Only events of the last while, as in `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The incident's id, or its first digits, or `last`.
    pub incident: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// For how long, as in `10m`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub span: Duration,
    /// Only the cohort of this host.
    #[arg(long)]
    pub host: Option<String>,
    /// Address of the HTTP API of the detective that runs [default: 127.0.0.1:7117].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
}

/// Flags of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The file to make: an Avro object container file.
    pub file: PathBuf,
    /// Record what comes for this long, as in `10m`, and not what is there; with `--since`, both.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub span: Option<Duration>,
    /// Only snapshots of the last while, as in `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
    /// Record what is there, and go on with what comes until a signal.
    #[arg(long, conflicts_with = "span")]
    pub follow: bool,
    /// Only snapshots of this host.
    #[arg(long, value_name = "ID")]
    pub host: Option<String>,
    /// Overwrite the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// Sweep this host, and record every answer of the kernel's: for a minute, or as `--for` or `--follow` say.
    ///
    /// The file names processes, paths, addresses and control groups as the kernel does. Of arguments and environments it holds what
    /// the parsers need, such as an interpreter's script, and no more.
    #[arg(long, conflicts_with_all = ["since", "host"])]
    pub proc: bool,
    /// Time between two sweeps of `--proc` [default: 1s].
    #[arg(long, value_name = "TIME", requires = "proc")]
    pub interval: Option<String>,
    /// Also write the snapshots that the sweeps of `--proc` give, to this file.
    #[arg(long, value_name = "FILE", requires = "proc")]
    pub snapshots: Option<PathBuf>,
    /// Record the snapshots that a file of `--proc` gives, and not what the bus holds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["proc", "span", "since", "follow", "host"])]
    pub from: Option<PathBuf>,
}

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A file that `detective record` made.
    pub file: PathBuf,
    /// So many times as fast as it was recorded, or `max`: as fast as the bus takes it.
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true)]
    pub speed: Speed,
    /// Publish each snapshot so many times, as hosts `ID-1`, `ID-2` and so on.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub hosts: Option<u32>,
    /// Put all hosts in this cohort. Without it, a host that was a cohort of its own stays one, under its new name.
    #[arg(long, value_name = "NAME")]
    pub cohort: Option<String>,
}

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A directory with `cases.json` and a file of snapshots for each case: lines of JSON, or recordings.
    pub directory: PathBuf,
    /// First play this plan on this host, into the directory, which must be new or empty.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Decides in which order a plan's faults come.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "plan")]
    pub seed: u64,
    /// Tell those who rank which node shows the symptom, where a case says so.
    #[arg(long)]
    pub hint: bool,
    /// One JSON object, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
    /// Draw the figures, and the scores around each fault of a recording, 200 of them at most, as SVG files into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub pictures: Option<PathBuf>,
    /// Only these cases.
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// What to do about faults.
#[derive(Debug, Args)]
pub struct FaultArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FaultCommand,
}

/// What to do about faults.
#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// List the faults by family, and what each needs that is here or not.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell what one does, who is to blame, who suffers, how far it goes and how it is undone.
    Show {
        /// Which; `detective fault list` tells.
        #[arg(value_parser = fault_name(), hide_possible_values = true)]
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Start one; it is undone when it is over.
    Start(StartArgs),
    /// Play a part in one.
    #[command(hide = true)]
    Part {
        /// The process that started the fault.
        #[arg(long)]
        parent: i32,
        /// Which, as JSON.
        #[arg(value_parser = part)]
        part: Part,
    },
}

/// Flags of `fault start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Which; `detective fault list` tells.
    #[arg(value_parser = fault_name(), hide_possible_values = true)]
    pub name: String,
    /// How long it lasts, `10m` at most.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = at_most_ten_minutes)]
    pub hold: Duration,
    /// How long all is well before it begins, `10m` at most.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = at_most_ten_minutes)]
    pub after: Duration,
    /// The file to make for it, instead of one in a new temporary folder. It must not exist.
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Print nothing but what is true, as one JSON line, when it begins.
    #[arg(long)]
    pub json: bool,
}

fn fault_name() -> PossibleValuesParser {
    PossibleValuesParser::new(catalogue::all().map(|fault| fault.name))
}

fn part(text: &str) -> serde_json::Result<Part> {
    serde_json::from_str(text)
}

fn at_most_ten_minutes(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(600);
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time > MOST { Err(format!("must be at most 10m, found {text}")) } else { Ok(time) }
}

fn at_least_one(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1: how many hosts each host becomes".to_owned())
}
