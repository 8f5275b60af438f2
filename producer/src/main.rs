//! `detective-producer`: watches this host and publishes snapshots of it.

use std::{process::ExitCode, sync::Arc};

use bus::BusError;
use producer::{ProducerError, settings::Config};
use service::{Hint, NoFlags, Program, retry};
use tokio_util::sync::CancellationToken;

const PROGRAM: Program = Program {
    name: "detective-producer",
    about: "Watches this host through /proc and publishes snapshots of it for detective-scorer.",
    examples: "  \
  detective-producer --config /etc/detective.toml
  detective-producer --data /var/lib/detective    use the embedded bus, together with a scorer and a trainer
  DETECTIVE__BUS__KIND=kafka DETECTIVE__BUS__KAFKA__BROKERS=kafka:9092 detective-producer",
};

fn main() -> ExitCode {
    PROGRAM.run(run)
}

async fn run(config: Config, _: NoFlags, shutdown: CancellationToken) -> anyhow::Result<()> {
    let open = || bus::open(&config.bus);
    let opened = retry::until_success("open the bus", &shutdown, open, BusError::is_transient, BusError::hint);
    let Some(bus) = opened.await? else { return Ok(()) };
    let producer = config.producer();
    tracing::info!(host = producer.host, cohort = producer.cohort, "watching host");
    let outcome = producer::run(producer, Arc::clone(&bus), shutdown).await;
    bus.close().await;
    outcome.hint_from(ProducerError::hint)
}
