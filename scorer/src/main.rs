//! `detective-scorer`: finds the root causes of failures, and publishes and prints incidents.

use std::{process::ExitCode, sync::Arc};

use bus::{Bus, BusError};
use scorer::{ScorerError, printer::Printer, printing_bus::PrintingBus, settings::Config, startup_api};
use service::{Hint, Program, retry};
use tokio_util::sync::CancellationToken;

const PROGRAM: Program = Program {
    name: "detective-scorer",
    about: "Scores snapshots with the models, publishes and prints incidents, and serves the HTTP API.",
    examples: "  \
  detective-scorer --config /etc/detective.toml
  detective-scorer --data /var/lib/detective    on the embedded bus, which a producer and a trainer share
  detective-scorer --json | jq .summary
  DETECTIVE__BUS__KIND=kafka DETECTIVE__BUS__KAFKA__BROKERS=kafka:9092 detective-scorer",
};

#[derive(clap::Args)]
struct Flags {
    /// Print events as JSON, one per line; standard output has nothing else.
    #[arg(long)]
    json: bool,
    /// Discard what was learned and learn again.
    #[arg(long)]
    relearn: bool,
}

fn main() -> ExitCode {
    PROGRAM.run(run)
}

async fn run(config: Config, flags: Flags, shutdown: CancellationToken) -> anyhow::Result<()> {
    let open = || bus::open(&config.bus);
    let opened = retry::until_success("open the bus", &shutdown, open, BusError::is_transient, BusError::hint);
    let opened = startup_api::serve_until(config.api.listen, opened).await;
    let Some(bus) = opened.hint_from(hint)?? else { return Ok(()) };
    tracing::info!(address = %config.api.listen, "HTTP API listening");
    let bus: Arc<dyn Bus> = Arc::new(PrintingBus::new(bus, Printer::new(flags.json)));
    let outcome = scorer::run(config.scorer(flags.relearn), Arc::clone(&bus), shutdown).await;
    bus.close().await;
    outcome.hint_from(hint)
}

fn hint(error: &ScorerError) -> Option<String> {
    error.hint().map(str::to_owned)
}
