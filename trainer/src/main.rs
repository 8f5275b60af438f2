//! `detective-trainer`: trains a model for each cohort on healthy snapshots of its hosts.

use std::{process::ExitCode, sync::Arc};

use bus::BusError;
use service::{Hint, NoFlags, Program, retry};
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError, settings::Config};

const PROGRAM: Program = Program {
    name: "detective-trainer",
    about: "Trains models on healthy snapshots and publishes them for detective-scorer.",
    examples: "  \
  detective-trainer --config /etc/detective.toml
  detective-trainer --data /var/lib/detective    on the embedded bus, which a producer and a scorer share
  DETECTIVE__BUS__KIND=kafka DETECTIVE__BUS__KAFKA__BROKERS=kafka:9092 detective-trainer",
};

fn main() -> ExitCode {
    PROGRAM.run(run)
}

async fn run(config: Config, _: NoFlags, shutdown: CancellationToken) -> anyhow::Result<()> {
    let open = || bus::open(&config.bus);
    let opened = retry::until_success("open the bus", &shutdown, open, BusError::is_transient, BusError::hint);
    let Some(bus) = opened.await? else { return Ok(()) };
    tracing::info!("waiting for healthy snapshots");
    let outcome = trainer::run(config.trainer(), Arc::clone(&bus), shutdown, Progress::stderr()).await;
    bus.close().await;
    outcome.hint_from(TrainerError::hint)
}
