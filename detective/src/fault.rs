//! Trouble made on purpose, to see the detective at work and to judge it by what is known to be true.
//!
//! **Promises:** a fault touches only what it made itself, and says what is true the moment it begins. It is undone when it
//! is over, when it is interrupted, and when any one of its processes is killed: parts die with the process that started
//! them, and the [`keeper`], which does not, removes what it made once that process is gone. Should the keeper itself be
//! killed, the process that started it removes it.
//!
//! - [`flock`]: the fault of that name. Another one is a file like it, a [`FaultName`] and its [`Part`]s
//! - [`part`]: who plays in a fault, each a process of its own
//! - [`scene`]: the processes and the file of a fault

pub mod flock;
pub mod keeper;
pub mod part;
pub mod scene;

use std::{io::Write, path::Path};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::json;
use service::Hint;
use tokio_util::sync::CancellationToken;

use crate::cli::{FaultCommand, FaultName, StartArgs};
use part::{BEGUN, Part};
use scene::{Event, Scene};

/// Who plays in a fault.
pub struct Cast {
    /// Those who will suffer.
    pub victims: Vec<Part>,
    /// The one who starts it: says [`BEGUN`] then, and ends when it is over.
    pub culprit: Part,
    /// What has begun, after the culprit's name.
    pub deed: String,
}

/// Runs `fault`.
///
/// # Errors
/// If the fault cannot be started, or does not last as long as it should.
pub async fn run(command: &FaultCommand) -> anyhow::Result<()> {
    match command {
        FaultCommand::List => list(),
        FaultCommand::Start(args) => start(args).await,
        FaultCommand::Part { parent, part } => part::play(part, *parent),
    }
}

fn list() -> anyhow::Result<()> {
    for fault in FaultName::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
        let help = fault.get_help().map(ToString::to_string).unwrap_or_default();
        writeln!(std::io::stdout(), "{:10} {help}", fault.get_name())?;
    }
    Ok(())
}

async fn start(args: &StartArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let mut scene = Scene::set(args.path.as_deref())?;
    let cast = match args.name {
        FaultName::Flock => flock::cast(args, scene.file()),
    };
    let played = play(args, cast, &mut scene, &shutdown).await;
    // Undone before anything is said about it.
    drop(scene);
    played?;
    say(args, "it is over, and nothing is left of it");
    Ok(())
}

/// Until it is over or interrupted.
async fn play(args: &StartArgs, cast: Cast, scene: &mut Scene, shutdown: &CancellationToken) -> anyhow::Result<()> {
    for victim in &cast.victims {
        scene.start(victim)?;
    }
    let culprit = scene.start(&cast.culprit)?;
    say(args, &format!("all is well for {}", humantime::format_duration(args.after)));
    let mut begun = false;
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            event = scene.next() => event,
        };
        match event {
            Event::Said(pid, word) if pid == culprit && word == BEGUN => {
                begun = true;
                let name = cast.culprit.name();
                tell(name, pid, scene.file())?;
                let time = humantime::format_duration(args.hold);
                say(args, &format!("{name} (pid {pid}) {}, for {time} or until Ctrl-C", cast.deed));
            }
            Event::Said(..) => {}
            Event::Ended(pid) => {
                let (name, status) = scene.how_ended(pid)?;
                if begun && pid == culprit && status.success() {
                    return Ok(());
                }
                bail!("the fault was over before its time: its process `{name}` (pid {pid}) ended with {status}");
            }
        }
    }
}

/// What is true from now on, as a line of JSON.
fn tell(name: &str, pid: u32, path: &Path) -> anyhow::Result<()> {
    let path = path.to_str().with_context(|| format!("the path `{}` must be UTF-8", path.display()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({"name": name, "pid": pid, "path": path}))
        .and_then(|()| out.flush())
        .context("cannot write to standard output what is true")
        .hint("the fault ends with whoever reads it")
}

fn say(args: &StartArgs, sentence: &str) {
    if !args.json {
        eprintln!("{sentence}");
    }
}
