//! Runs `detective up` for a long time beside processes that do unusual things.
//!
//! The processes have odd names, thousands of files and threads, fork, stop, become zombies and
//! hold locks; 200 clients are connected to the HTTP API. A run passes if memory stays flat, no
//! sweep is missed for longer than an interval, every incident names something that was done, and
//! `up` ends with exit code 0.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use rand::{SeedableRng, rngs::SmallRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    measure::{release, scratch},
    scoped_child::ScopedChild,
    time::pause,
};
use clients::Clients;
use disturbances::Disturbances;
use observer::Observer;

mod actor;
mod clients;
mod clock;
mod disturbances;
mod observer;

/// Longest time that `up` may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two looks at `up`.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);
/// Snapshots that `up` learns from, before anything is done.
const LEARN: &str = "60";
const READY_TIMEOUT: Duration = Duration::from_secs(180);

/// How long, and what is done.
#[derive(Args)]
pub struct SoakArgs {
    /// How long to run after `up` is ready.
    #[arg(long = "for", default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Decides what is done, and when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many clients to connect to the HTTP API.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Step the clock of this machine back and forth. Requires root; other programs notice it too.
    #[arg(long)]
    step_clock: bool,
    #[command(subcommand)]
    actor: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// One of the processes that a run starts.
    #[command(hide = true)]
    Actor(actor::ActorArgs),
}

/// Runs, prints what was observed, and checks it.
///
/// # Errors
/// If a check fails, or a process cannot be started.
pub fn run(args: &SoakArgs) -> anyhow::Result<()> {
    if let Some(Role::Actor(actor)) = &args.actor {
        return actor.run();
    }
    let program = release::build(&[])?.join("detective");
    let folder = scratch::create("soak")?;
    let address = free_address()?;
    let mut up = start_up(&program, &folder, address)?;
    let mut observer = Observer::new(address, up.id());
    observer.wait_until_ready(READY_TIMEOUT)?;
    eprintln!("ready; disturbing for {}", humantime::format_duration(args.duration));
    let clients = Clients::connect(address, args.clients);
    let mut disturbances = Disturbances::new(folder.join("files"), SmallRng::seed_from_u64(args.seed))?;
    let mut clock = args.step_clock.then(clock::SteppedClock::new);
    let start = Instant::now();
    while start.elapsed() < args.duration {
        ensure!(up.exit_status()?.is_none(), "`up` ended during the run, see `{}`", log_path(&folder).display());
        disturbances.next()?;
        if let Some(clock) = &mut clock {
            clock.step_if_due()?;
        }
        observer.sample();
        pause(SAMPLE_INTERVAL);
    }
    drop(clock);
    let mut report = observer.into_report(&folder.join("events.jsonl"), &disturbances)?;
    drop(disturbances);
    report.failed_requests = clients.end();
    report.exit = end(&mut up)?;
    println!("{report}");
    report.check()
}

fn start_up(program: &PathBuf, folder: &std::path::Path, address: SocketAddr) -> anyhow::Result<ScopedChild> {
    let create =
        |path: PathBuf| std::fs::File::create(&path).with_context(|| format!("cannot create `{}`", path.display()));
    let mut command = ScopedChild::command(program);
    command
        .args(["up", "--json", "--learn", LEARN, "--listen", &address.to_string(), "--data"])
        .arg(folder.join("data"))
        .stdout(create(folder.join("events.jsonl"))?)
        .stderr(create(log_path(folder))?)
        .stdin(Stdio::null());
    ScopedChild::start("detective up", &mut command)
}

fn log_path(folder: &std::path::Path) -> PathBuf {
    folder.join("up.log")
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// Sends SIGTERM and returns the exit code.
fn end(up: &mut ScopedChild) -> anyhow::Result<Option<i32>> {
    let pid = i32::try_from(up.id()).ok().and_then(Pid::from_raw).context("`up` has no pid")?;
    kill_process(pid, Signal::TERM).context("cannot end `up`")?;
    let start = Instant::now();
    while start.elapsed() < END_TIMEOUT {
        if let Some(status) = up.exit_status()? {
            return Ok(status.code());
        }
        pause(Duration::from_millis(50));
    }
    Ok(None)
}
