//! Runs `detective up` for a long time beside processes that do unusual things.
//!
//! The processes have odd names, thousands of files and threads, fork, stop, become zombies and
//! hold locks; by default 200 clients use the HTTP API. A run passes if memory stays flat, the
//! scorer scores a snapshot every second, the root cause of every incident is a process or file of
//! the run, and `up` ends with exit code 0.
//!
//! Other processes of the machine would open incidents too, and zombies of actors that were killed
//! stay unless process 1 reaps them. So run it in a PID namespace whose process 1 is a shell:
//!
//! ```text
//! unshare --pid --fork --mount-proc sh -c 'cargo xtask soak; exit $?'
//! ```

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Args, Subcommand};
use humantime::format_duration;
use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    measure::{release, scratch},
    time::pause,
};
use clients::Clients;
use clock::SteppedClock;
use disturbances::Disturbances;
use incidents::Incidents;
use observer::Observer;
use report::Report;
use up::Up;

mod actor;
mod clients;
mod clock;
mod disturbances;
mod incidents;
mod observer;
mod report;
mod up;

/// Time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

/// Duration and disturbances of a run.
#[derive(Args)]
pub struct SoakArgs {
    /// How long to run after `up` is ready. Must be longer than the warm-up.
    #[arg(long = "for", default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Time from which memory must not grow.
    #[arg(long, default_value = "10m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// Seed of the random choice of disturbances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many clients to connect to the HTTP API.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Step the clock of this machine back and forth. Requires root; other programs notice it too.
    #[arg(long)]
    step_clock: bool,
    #[command(subcommand)]
    hidden: Option<HiddenCommand>,
}

#[derive(Subcommand)]
enum HiddenCommand {
    /// Run one of the processes that disturb `up`.
    #[command(hide = true)]
    Actor(actor::ActorArgs),
    /// Step the clock until the standard input ends, then restore it.
    #[command(hide = true)]
    StepClock,
}

/// Runs, prints what was observed, and checks it.
///
/// # Errors
/// If a check fails, or a process cannot be started.
pub fn run(args: &SoakArgs) -> anyhow::Result<()> {
    match &args.hidden {
        Some(HiddenCommand::Actor(actor)) => return actor.run(),
        Some(HiddenCommand::StepClock) => return clock::step_until_input_ends(),
        None => {}
    }
    args.check()?;
    let program = release::build(&[])?.join("detective");
    let folder = scratch::create("soak")?;
    let mut up = Up::start(&program, &folder, args.clients)?;
    up.wait_until_ready()?;
    eprintln!("ready; disturbing for {}", format_duration(args.duration));
    let mut observer = Observer::start(args.warm_up);
    let mut disturbances = Disturbances::new(folder.join("files"), SmallRng::seed_from_u64(args.seed))?;
    let clients = Clients::connect(up.address, args.clients);
    disturb(args, &mut up, &mut observer, &mut disturbances)?;
    let failed_requests = clients.end();
    // Events are complete when `up` has ended.
    let (exit, events) = up.end()?;
    let incidents = Incidents::read(&events, &disturbances)?;
    let report = Report { observed: observer.end(), incidents, failed_requests, exit };
    println!("{report}");
    report.check()
}

impl SoakArgs {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.duration > self.warm_up,
            "expected `--for` to be longer than the warm-up of {}, found {}\nhint: shorten it with `--warm-up`",
            format_duration(self.warm_up),
            format_duration(self.duration)
        );
        Ok(())
    }
}

/// Starts and ends disturbances, and takes samples, until the time of the run is over.
fn disturb(
    args: &SoakArgs,
    up: &mut Up,
    observer: &mut Observer,
    disturbances: &mut Disturbances,
) -> anyhow::Result<()> {
    let mut clock = args.step_clock.then(SteppedClock::start).transpose()?;
    let start = Instant::now();
    while start.elapsed() < args.duration {
        up.check_runs()?;
        if let Some(clock) = &mut clock {
            clock.check_runs()?;
        }
        disturbances.next()?;
        observer.sample(up)?;
        pause(SAMPLE_INTERVAL);
    }
    clock.map_or(Ok(()), SteppedClock::restore)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::SoakArgs;

    #[derive(Parser)]
    struct Soak {
        #[command(flatten)]
        args: SoakArgs,
    }

    #[test]
    fn a_run_that_ends_in_the_warm_up_is_refused() {
        for args in [["soak", "--for=10m"].as_slice(), &["soak", "--for=1m", "--warm-up=2m"]] {
            let soak = Soak::try_parse_from(args).expect("the flags are valid");
            let error = soak.args.check().expect_err("memory cannot be checked").to_string();
            assert!(error.contains("longer than the warm-up"), "{error}");
        }
    }
}
