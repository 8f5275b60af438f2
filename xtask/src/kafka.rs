//! A real Apache Kafka for tests: one node, on this machine, below the target directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::repository::target;
use broker::Lifetime;
use broker_process::BrokerProcess;

mod broker;
mod broker_process;
mod install;

/// What to do.
#[derive(Args)]
pub struct KafkaArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start Kafka, unless it runs, and print its address.
    Up {
        /// Listen on this port instead of one that is free.
        #[arg(long)]
        port: Option<u16>,
    },
    /// End Kafka and remove its data.
    Down,
}

/// Starts or ends Kafka.
///
/// # Errors
/// If Kafka cannot be downloaded, started or ended.
pub fn run(args: &KafkaArgs) -> anyhow::Result<()> {
    match args.action {
        Action::Up { port } => println!("{}", up(port, Lifetime::UntilDown)?.0.address),
        Action::Down => down()?,
    }
    Ok(())
}

/// What this machine needs for Kafka and does not have, with a hint.
pub fn missing_requirement() -> Option<String> {
    install::missing_requirement(&folder())
}

/// A running Kafka. It ends when this is dropped and when this process dies, unless `cargo xtask
/// kafka up` had started it.
pub struct Kafka {
    /// `host:port`.
    pub address: String,
    was_started_here: bool,
}

impl Kafka {
    /// Starts Kafka, or uses the one that runs.
    ///
    /// # Errors
    /// If Kafka cannot be downloaded or started.
    pub fn start() -> anyhow::Result<Kafka> {
        let (process, was_started_here) = up(None, Lifetime::ThisProcess)?;
        Ok(Kafka { address: process.address, was_started_here })
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if self.was_started_here
            && let Err(error) = down()
        {
            eprintln!("error: {error:#}");
        }
    }
}

/// The running broker, and whether this call started it.
fn up(port: Option<u16>, lifetime: Lifetime) -> anyhow::Result<(BrokerProcess, bool)> {
    let folder = folder();
    let _lock = lock(&folder)?;
    if let Some(running) = BrokerProcess::load(&folder) {
        if port.is_some_and(|port| !running.address.ends_with(&format!(":{port}"))) {
            bail!("Kafka runs already, at {}\nhint: end it first with `cargo xtask kafka down`", running.address);
        }
        // An `up` that was killed may have saved the process before the broker served.
        broker::wait_until_started(&running, &folder)?;
        return Ok((running, false));
    }
    if let Some(missing) = install::missing_requirement(&folder) {
        bail!(missing);
    }
    install::install_libraries(&folder)?;
    Ok((broker::start(&folder, port, lifetime)?, true))
}

fn down() -> anyhow::Result<()> {
    let folder = folder();
    let _lock = lock(&folder)?;
    match BrokerProcess::load(&folder) {
        Some(running) => running.terminate()?,
        None => eprintln!("Kafka does not run"),
    }
    broker::remove_data(&folder)
}

fn folder() -> PathBuf {
    target().join("kafka")
}

/// Excludes a concurrent `up` or `down`.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let file = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}
