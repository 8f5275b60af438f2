//! A real Apache Kafka for tests: one node, for this machine alone, below the target directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::{
    kafka::{broker::Lifetime, running::Running},
    repository::target,
};

mod broker;
mod install;
mod running;

/// What to do with it.
#[derive(Args)]
pub struct KafkaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Start it, unless it runs, and print its address.
    Up {
        /// The port that it listens on; by default one that is free.
        #[arg(long)]
        port: Option<u16>,
    },
    /// End it and remove its data.
    Down,
}

/// Does it.
///
/// # Errors
/// If Kafka cannot be fetched, started or ended.
pub fn run(args: &KafkaArgs) -> anyhow::Result<()> {
    match args.what {
        What::Up { port } => println!("{}", up(port, Lifetime::UntilDown)?.0.address),
        What::Down => down()?,
    }
    Ok(())
}

/// What this machine lacks for Kafka, and what can be done about it.
pub fn lacking() -> Option<String> {
    install::lacking(&folder())
}

/// A Kafka that ends with this value, and with this process should that be killed.
pub struct Kafka {
    /// Its address, as `host:port`.
    pub address: String,
    // One that a person started stays up.
    ours: bool,
}

impl Kafka {
    /// Starts it, or joins the one that runs.
    ///
    /// # Errors
    /// If it cannot be fetched or started.
    pub fn start() -> anyhow::Result<Kafka> {
        let (Running { address, .. }, ours) = up(None, Lifetime::OfThisProcess)?;
        Ok(Kafka { address, ours })
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = down()
        {
            eprintln!("error: {error:#}");
        }
    }
}

/// The Kafka that runs now, and whether this call started it.
fn up(port: Option<u16>, lifetime: Lifetime) -> anyhow::Result<(Running, bool)> {
    let folder = folder();
    let _lock = lock(&folder)?;
    if let Some(running) = Running::read(&folder) {
        if port.is_some_and(|port| !running.address.ends_with(&format!(":{port}"))) {
            bail!("Kafka runs already, at {}\nhint: end it first with `cargo xtask kafka down`", running.address);
        }
        // It may have been noted by one that was killed before it served.
        broker::await_start(&running, &folder)?;
        return Ok((running, false));
    }
    if let Some(lacking) = install::lacking(&folder) {
        bail!(lacking);
    }
    install::libraries(&folder)?;
    Ok((broker::start(&folder, port, lifetime)?, true))
}

fn down() -> anyhow::Result<()> {
    let folder = folder();
    let _lock = lock(&folder)?;
    match Running::read(&folder) {
        Some(running) => running.end()?,
        None => eprintln!("no Kafka runs"),
    }
    broker::clear(&folder)
}

fn folder() -> PathBuf {
    target().join("kafka")
}

/// Two that start or end it at once would undo each other's work.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let file = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}
