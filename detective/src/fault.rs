//! Trouble made on purpose, to see the detective at work.

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use faults::{
    Injection, Progress, catalogue, fault::Fault, need::Need, part::Part, play, shop::Shop, shown, truth::Truth,
};
use service::Hint;

use crate::output::print;

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

/// Runs `fault`.
///
/// # Errors
/// If the fault cannot be started, or does not last as long as it should.
pub fn run(command: &FaultCommand) -> anyhow::Result<()> {
    match command {
        FaultCommand::List { json } => list(*json),
        FaultCommand::Show { name, json } => show(known(name)?, *json),
        FaultCommand::Start(args) => start(args),
        FaultCommand::Part { parent, part } => play::play(part, *parent),
    }
}

/// The fault of a name that was checked when it was typed.
fn known(name: &str) -> anyhow::Result<&'static Fault> {
    catalogue::named(name).with_context(|| format!("no fault is called `{name}`"))
}

fn list(json: bool) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    let here = |need: Need| need.is_here(shop.as_ref());
    print(&if json { format!("{}\n", shown::list_json(shop.as_ref())) } else { shown::list(here) })
}

fn show(fault: &Fault, json: bool) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    let here = |need: Need| need.is_here(shop.as_ref());
    print(&if json { format!("{}\n", shown::json_of(fault, shop.as_ref())) } else { shown::show(fault, here) })
}

fn start(args: &StartArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let fault = known(&args.name)?;
    let injection = Injection { fault, after: args.after, hold: args.hold, path: args.path.clone() };
    faults::inject(&injection, shutdown, |progress| {
        match progress {
            Progress::Healthy => say(args, &format!("all is well for {}", humantime::format_duration(args.after))),
            Progress::Begun(truth) => {
                tell(truth)?;
                say(args, &format!("{}, for {} or until Ctrl-C", fault.does, humantime::format_duration(args.hold)));
            }
        }
        Ok(())
    })?;
    say(args, "it is over, and nothing is left of it");
    Ok(())
}

/// What is true from now on, as a line of JSON.
fn tell(truth: &Truth) -> anyhow::Result<()> {
    let truth = serde_json::to_string(truth)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{truth}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output what is true")
        .hint("the fault ends with whoever reads it")
}

fn say(args: &StartArgs, sentence: &str) {
    if !args.json {
        eprintln!("{sentence}");
    }
}
