//! `detective-scorer`: finds who started the trouble, and says so.

use std::{process::ExitCode, sync::Arc};

use bus::{Bus, BusError};
use scorer::{
    ScorerError,
    announce::{Announced, Printer},
    settings::Config,
    waiting,
};
use service::{Hint, Program, retry};
use tokio_util::sync::CancellationToken;

const PROGRAM: Program = Program {
    name: "detective-scorer",
    about: "Judges snapshots by the models, prints and publishes incidents, and answers questions about them over HTTP.",
    examples: "  \
  detective-scorer --config /etc/detective.toml
  detective-scorer --data /var/lib/detective    on the embedded bus, with a producer and a trainer beside it
  detective-scorer --json | jq .summary
  DETECTIVE__BUS__KIND=kafka DETECTIVE__BUS__KAFKA__BROKERS=kafka:9092 detective-scorer",
};

#[derive(clap::Args)]
struct Flags {
    /// Print events as JSON, one a line, and nothing else on standard output.
    #[arg(long)]
    json: bool,
    /// Forget what was learned and begin again.
    #[arg(long)]
    relearn: bool,
}

fn main() -> ExitCode {
    PROGRAM.run(run)
}

async fn run(config: Config, flags: Flags, shutdown: CancellationToken) -> anyhow::Result<()> {
    let open = || bus::open(&config.bus);
    let opened = retry::until_success("open the bus", &shutdown, open, BusError::is_transient, BusError::hint);
    let opened = waiting::answer_until(config.api.listen, opened).await;
    let Some(bus) = opened.hint_from(hint)?? else { return Ok(()) };
    tracing::info!(address = %config.api.listen, "answering");
    let bus: Arc<dyn Bus> = Arc::new(Announced::new(bus, Printer::to_stdout(flags.json)));
    let outcome = scorer::run(config.scorer(flags.relearn), Arc::clone(&bus), shutdown).await;
    bus.close().await;
    outcome.hint_from(hint)
}

fn hint(error: &ScorerError) -> Option<String> {
    error.hint().map(str::to_owned)
}
