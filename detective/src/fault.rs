//! `detective fault`: lists and injects faults, by the crate `faults`.

use std::{
    io::{Write, stdout},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use faults::{
    Injection, Progress, catalogue, fault::Fault, ground_truth_record::GroundTruthRecord, helper::Helper, helper_main,
    injection::MAX_DURATION, listing, requirement::Requirement, workload::Workload,
};
use service::Hint;

use crate::output::print;

/// Arguments of `fault`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective fault list
  detective fault show flock
  detective fault start flock --for 1m
  detective fault start flock --json  the ground truth as a JSON line, when the fault begins")]
pub struct FaultArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: FaultCommand,
}

/// Subcommands of `fault`.
#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// List all faults by family, with their requirements and whether this host meets them.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Describe one fault: what happens, root cause, affected nodes, limits and undo.
    Show {
        /// Name of the fault; see `detective fault list`.
        #[arg(value_parser = fault_name(), hide_possible_values = true)]
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Inject one fault, and undo it when its time is over.
    Start(StartArgs),
    /// Run a fault helper.
    #[command(hide = true)]
    Helper {
        /// Pid of the injecting process.
        #[arg(long)]
        parent: i32,
        /// The helper, as JSON.
        #[arg(value_parser = parse_helper)]
        helper: Helper,
    },
}

/// Arguments of `fault start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Name of the fault; see `detective fault list`.
    #[arg(value_parser = fault_name(), hide_possible_values = true)]
    pub name: String,
    /// Duration of the fault, at most `10m`.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = parse_fault_duration)]
    pub duration: Duration,
    /// Time without the fault before it begins, at most `10m`.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_fault_duration)]
    pub after: Duration,
    /// File to create for the fault, instead of one in a new temporary folder. Must not exist.
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Print only the ground truth, as one line of JSON, when the fault begins.
    #[arg(long)]
    pub json: bool,
}

fn fault_name() -> PossibleValuesParser {
    PossibleValuesParser::new(catalogue::all().map(|fault| fault.name))
}

fn parse_helper(text: &str) -> serde_json::Result<Helper> {
    serde_json::from_str(text)
}

fn parse_fault_duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time > MAX_DURATION {
        return Err(format!("must be at most {}, found {text}", humantime::format_duration(MAX_DURATION)));
    }
    Ok(time)
}

/// Runs `fault`.
///
/// # Errors
/// If the fault cannot be injected, or ends early.
pub fn run(command: &FaultCommand) -> anyhow::Result<()> {
    match command {
        FaultCommand::List { json } => list(*json),
        FaultCommand::Show { name, json } => show(find(name)?, *json),
        FaultCommand::Start(args) => start(args),
        FaultCommand::Helper { parent, helper } => helper_main::run(helper, *parent),
    }
}

/// Finds a fault. The parser of arguments has checked the name already.
fn find(name: &str) -> anyhow::Result<&'static Fault> {
    catalogue::find(name).with_context(|| format!("unknown fault `{name}`"))
}

fn list(json: bool) -> anyhow::Result<()> {
    let workload = Workload::find()?;
    let is_met = |requirement: Requirement| requirement.is_met(workload.as_ref());
    print(&if json { format!("{}\n", listing::list_json(workload.as_ref())) } else { listing::list(is_met) })
}

fn show(fault: &Fault, json: bool) -> anyhow::Result<()> {
    let workload = Workload::find()?;
    let is_met = |requirement: Requirement| requirement.is_met(workload.as_ref());
    let described = if json {
        format!("{}\n", listing::describe_json(fault, workload.as_ref()))
    } else {
        listing::describe(fault, is_met)
    };
    print(&described)
}

fn start(args: &StartArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let fault = find(&args.name)?;
    let injection = Injection { fault, after: args.after, duration: args.duration, path: args.path.clone() };
    let [after, duration] = [args.after, args.duration].map(humantime::format_duration);
    faults::inject(&injection, shutdown, |progress| {
        match progress {
            Progress::Waiting => report(args, &format!("the fault begins in {after}")),
            Progress::Begun(truth) => {
                print_ground_truth(truth)?;
                report(args, &format!("{}, for {duration} or until Ctrl-C", fault.description));
            }
        }
        Ok(())
    })?;
    report(args, "the fault has ended and is undone");
    Ok(())
}

/// Prints the ground truth as a line of JSON.
fn print_ground_truth(truth: &GroundTruthRecord) -> anyhow::Result<()> {
    let truth = serde_json::to_string(truth)?;
    let mut out = stdout().lock();
    writeln!(out, "{truth}")
        .and_then(|()| out.flush())
        .context("cannot write the ground truth to standard output")
        .hint("the fault ends if the reader of its output exits")
}

fn report(args: &StartArgs, line: &str) {
    if !args.json {
        eprintln!("{line}");
    }
}
