//! Trouble made on purpose, to see the detective at work and to judge it by what is known to be true.
//!
//! **Promises:** a fault is bounded in time and size, and says what is true the moment it begins. It is undone when it is over,
//! when it is interrupted, and when any one of its processes is killed: the [`guard`], which outlives the process that
//! started the fault, is told how to take back each change before it is made. Should the guard itself be killed, the process
//! that started it takes them back.
//!
//! **Never:** it touches nothing but what it made itself and the parts of the shop, which is there to be broken.
//!
//! - [`catalogue`]: what a fault is, and all that there are: [`cpu`], [`memory`], [`locks`], [`hung`], [`disk`], [`network`],
//!   [`process`], [`logs`], [`benign`]
//! - [`stage`]: what a fault is played on; [`part`]: who plays in it, each a process of its own
//! - [`guard`], [`undo`]: how it is taken back
//! - [`need`], [`safety`]: whether it can be started here, and whether it may be
//! - [`shop`], [`group`], [`who`]: the shop, control groups and processes as they are
//! - [`truth`], [`shown`]: what is told of it

pub mod benign;
pub mod catalogue;
pub mod cpu;
pub mod disk;
pub mod group;
pub mod guard;
pub mod hung;
pub mod locks;
pub mod logs;
pub mod memory;
pub mod need;
pub mod network;
pub mod part;
pub mod process;
pub mod safety;
pub mod shop;
pub mod shown;
pub mod stage;
pub mod truth;
pub mod undo;
pub mod who;

use std::{io::Write, path::PathBuf};

use anyhow::Context;
use schemas::Timestamp;
use service::Hint;

use crate::{
    cli::{FaultCommand, StartArgs},
    output::print,
};
use catalogue::Fault;
use shop::Shop;
use stage::{Event, Interrupted, Stage};
use truth::{Deed, Truth};

/// Runs `fault`.
///
/// # Errors
/// If the fault cannot be started, or does not last as long as it should.
pub async fn run(command: &FaultCommand) -> anyhow::Result<()> {
    match command {
        FaultCommand::List { json } => list(*json),
        FaultCommand::Show { name, json } => show(known(name)?, *json),
        FaultCommand::Start(args) => start(args),
        FaultCommand::Part { parent, part } => part::play(part, *parent),
    }
}

/// The fault of a name that was checked when it was typed.
fn known(name: &str) -> anyhow::Result<&'static Fault> {
    catalogue::named(name).with_context(|| format!("no fault is called `{name}`"))
}

fn list(json: bool) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    let here = |need: need::Need| need.is_here(shop.as_ref());
    print(&if json { format!("{}\n", shown::list_json(shop.as_ref())) } else { shown::list(here) })
}

fn show(fault: &Fault, json: bool) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    let here = |need: need::Need| need.is_here(shop.as_ref());
    print(&if json { format!("{}\n", shown::json_of(fault, shop.as_ref())) } else { shown::show(fault, here) })
}

fn start(args: &StartArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let fault = known(&args.name)?;
    let shop = Shop::find()?;
    check(fault, args, shop.as_ref())?;
    let mut stage = Stage::set(args, shop)?;
    let sender = stage.sender();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        // Nobody hears it any more if the fault is over.
        let _ = sender.send(Event::Interrupted);
    });
    // On this thread, which lasts as long as the program.
    let played = tokio::task::block_in_place(|| play(fault, args, &mut stage));
    // Undone before anything is said about it.
    let undone = stage.undo();
    let played = played.or_else(|error| if error.is::<Interrupted>() { Ok(()) } else { Err(error) });
    // That something is left weighs more than why it was over.
    undone.and(played)?;
    say(args, "it is over, and nothing is left of it");
    Ok(())
}

/// Sees to it that the fault can be started here, and harms nobody.
fn check(fault: &Fault, args: &StartArgs, shop: Option<&Shop>) -> anyhow::Result<()> {
    if args.path.is_some() && !fault.takes_path {
        let takers: Vec<&str> = catalogue::all().filter(|fault| fault.takes_path).map(|fault| fault.name).collect();
        return Err(anyhow::anyhow!("`{}` plays with no file, found `--path`", fault.name))
            .hint(format!("leave it out; it is for {}", takers.join(", ")));
    }
    if let Some(file) = args.path.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(anyhow::anyhow!("`{}` exists, and a fault touches only what it made itself", file.display()))
            .hint("name a file that does not exist yet, or leave `--path` out");
    }
    for need in fault.needs {
        need.check(shop)?;
    }
    safety::check(fault.takes, &folder(args, shop)?)
}

/// Where a fault puts what is large.
fn folder(args: &StartArgs, shop: Option<&Shop>) -> anyhow::Result<PathBuf> {
    Ok(match (&args.path, shop) {
        (Some(path), _) => std::path::absolute(path)?.parent().map(PathBuf::from).unwrap_or_default(),
        (None, Some(shop)) => shop.folder.clone(),
        (None, None) => std::env::temp_dir(),
    })
}

/// Until it is over or interrupted.
fn play(fault: &Fault, args: &StartArgs, stage: &mut Stage) -> anyhow::Result<()> {
    say(args, &format!("all is well for {}", humantime::format_duration(args.after)));
    let deed = (fault.play)(stage)?;
    tell(fault, &deed, stage.begun())?;
    say(args, &format!("{}, for {} or until Ctrl-C", fault.does, humantime::format_duration(args.hold)));
    stage.last()
}

/// What is true from now on, as a line of JSON.
fn tell(fault: &Fault, deed: &Deed, begun: Timestamp) -> anyhow::Result<()> {
    let truth = serde_json::to_string(&Truth::of(fault, deed, begun.0))?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_would_be_ignored_is_refused() {
        let refused = |name: &str| {
            let (hold, after, path) = (Duration::ZERO, Duration::ZERO, Some(PathBuf::from("/nonexistent/app.log")));
            let args = StartArgs { name: name.to_owned(), hold, after, path, json: true };
            check(known(name).unwrap(), &args, None).unwrap_err().to_string()
        };
        assert_eq!(refused("cpu-hog"), "`cpu-hog` plays with no file, found `--path`");
        assert_eq!(refused("flock"), "cannot look at the folder `/nonexistent`");
    }
}
