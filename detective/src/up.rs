//! `detective up`: producer, trainer and scorer in one process, on the embedded bus.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusKind};
use clap::Args;
use producer::ProducerError;
use scorer::{ScorerError, printer::Printer, printing_bus::PrintingBus};
use service::Hint;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError};

use crate::{
    config::{Config, open_bus},
    data_lock::DataLock,
};

/// Tasks that have not ended this long after a shutdown end with the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// How a task ended.
type Ended = anyhow::Result<()>;

/// Flags of `up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective up --interval 1s --learn 60
  detective up --json > events.jsonl
  detective up --relearn              forget what was learned and begin again")]
pub struct UpArgs {
    /// Time between two sweeps [default: 1s].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Learn from this many snapshots before the first model [default: 60].
    #[arg(long, value_name = "SNAPSHOTS")]
    pub learn: Option<u32>,
    /// Address of the HTTP API [default: 127.0.0.1:7117].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
    /// Forget what was learned and begin again.
    #[arg(long)]
    pub relearn: bool,
    /// Print events as JSON lines, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

impl UpArgs {
    /// Keys and values of the settings that these flags override.
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("sweep.interval", self.interval.clone()),
            ("learn.snapshots", self.learn.map(|learn| learn.to_string())),
            ("api.listen", self.listen.clone()),
        ]
    }
}

/// Watches this host until a signal.
///
/// # Errors
/// If producer, trainer or scorer cannot start, or fails.
pub async fn run(mut config: Config, args: &UpArgs) -> anyhow::Result<()> {
    config.relearn = args.relearn;
    let shutdown = service::shutdown::on_signal()?;
    if std::mem::take(&mut config.bus.kind) != BusKind::Embedded {
        tracing::warn!(
            "`bus.kind` ignored: it is for detective-producer, -trainer and -scorer, and `up` uses the embedded bus"
        );
    }
    let bus = open_bus(&config).await?;
    let _lock = DataLock::acquire(&config.bus.path).await?;
    eprintln!(
        "watching {} every {} · data in {} · http://{}",
        config.host,
        humantime::format_duration(config.sweep.interval),
        config.bus.path.display(),
        config.api.listen
    );
    let printing: Arc<dyn Bus> = Arc::new(PrintingBus::new(Arc::clone(&bus), Printer::new(args.json)));
    let mut tasks = spawn_tasks(&config, &bus, &printing, &shutdown);
    let outcome = run_until_end(&mut tasks, &shutdown).await;
    // Prints the events that were published last.
    printing.close().await;
    outcome
}

fn spawn_tasks(
    config: &Config,
    bus: &Arc<dyn Bus>,
    printing: &Arc<dyn Bus>,
    shutdown: &CancellationToken,
) -> JoinSet<Ended> {
    let mut tasks = JoinSet::new();
    let scorer = scorer::run(config.scorer(), Arc::clone(printing), shutdown.clone());
    tasks.spawn(async move { scorer.await.hint_from(|error: &ScorerError| error.hint().map(str::to_owned)) });
    let trainer = trainer::run(config.trainer(), Arc::clone(bus), shutdown.clone(), Progress::stderr());
    tasks.spawn(
        async move { trainer.await.hint_from(|error: &TrainerError| error.hint().map(|hint| hint.to_string())) },
    );
    let producer = producer::run(config.producer(), Arc::clone(bus), shutdown.clone());
    tasks.spawn(
        async move { producer.await.hint_from(|error: &ProducerError| error.hint().map(|hint| hint.to_string())) },
    );
    tasks
}

/// Waits for the shutdown or for the first task that ends by itself, and then for all tasks.
/// Returns the first error.
async fn run_until_end(tasks: &mut JoinSet<Ended>, shutdown: &CancellationToken) -> Ended {
    let mut outcome = tokio::select! {
        biased;
        Some(ended) = tasks.join_next() => to_outcome(ended),
        () = shutdown.cancelled() => Ok(()),
    };
    shutdown.cancel();
    let rest = async {
        while let Some(ended) = tasks.join_next().await {
            outcome = std::mem::replace(&mut outcome, Ok(())).and(to_outcome(ended));
        }
    };
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, rest).await;
    outcome
}

fn to_outcome(ended: Result<Ended, JoinError>) -> Ended {
    ended.unwrap_or_else(|panic| Err(anyhow::Error::from(panic).context("producer, trainer or scorer panicked")))
}
