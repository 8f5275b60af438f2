//! All three parts in one process on the embedded bus.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusKind};
use clap::Args;
use producer::ProducerError;
use scorer::{ScorerError, printer::Printer, printing_bus::PrintingBus};
use service::Hint;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError};

use crate::{config::Config, owner};

/// Flags of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Time between two looks at the host [default: 1s].
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
    /// Print events as JSON, one a line, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

impl UpArgs {
    /// The settings that these flags stand for.
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("sweep.interval", self.interval.clone()),
            ("learn.snapshots", self.learn.map(|learn| learn.to_string())),
            ("api.listen", self.listen.clone()),
        ]
    }
}

/// What is still at work when the time is up is left to the end of the process.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// Watches this host until a signal.
///
/// # Errors
/// If a part cannot start or go on.
pub async fn run(mut config: Config, args: &UpArgs) -> anyhow::Result<()> {
    config.relearn = args.relearn;
    let shutdown = service::shutdown::on_signal()?;
    if std::mem::take(&mut config.bus.kind) != BusKind::Embedded {
        tracing::warn!("`bus.kind` is for detective-producer, -trainer and -scorer: `up` keeps its records in a file");
    }
    let bus = crate::config::open(&config).await?;
    let _owner = owner::take(&config.bus.path).await?;
    say(&format!(
        "watching {} every {} · data in {} · http://{}",
        config.host,
        humantime::format_duration(config.sweep.interval),
        config.bus.path.display(),
        config.api.listen
    ));
    let announced: Arc<dyn Bus> = Arc::new(PrintingBus::new(Arc::clone(&bus), Printer::new(args.json)));
    let mut parts = start_parts(&config, &bus, &announced, &shutdown);
    let outcome = first_failure(&mut parts, &shutdown).await;
    shutdown.cancel();
    let rest = async { while parts.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(TIME_TO_END, rest).await;
    // What was published at the end is printed too.
    announced.close().await;
    outcome
}

fn start_parts(
    config: &Config,
    bus: &Arc<dyn Bus>,
    announced: &Arc<dyn Bus>,
    shutdown: &CancellationToken,
) -> JoinSet<anyhow::Result<()>> {
    let mut parts = JoinSet::new();
    let scoring = scorer::run(config.scorer(), Arc::clone(announced), shutdown.clone());
    parts.spawn(async move { scoring.await.hint_from(|error: &ScorerError| error.hint().map(str::to_owned)) });
    let training = trainer::run(config.trainer(), Arc::clone(bus), shutdown.clone(), Progress::stderr());
    parts.spawn(
        async move { training.await.hint_from(|error: &TrainerError| error.hint().map(|hint| hint.to_string())) },
    );
    let producing = producer::run(config.producer(), Arc::clone(bus), shutdown.clone());
    parts.spawn(
        async move { producing.await.hint_from(|error: &ProducerError| error.hint().map(|hint| hint.to_string())) },
    );
    parts
}

/// Waits for the shutdown, or for the first part that ends of itself.
async fn first_failure(parts: &mut JoinSet<anyhow::Result<()>>, shutdown: &CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => match ended {
            Ok(outcome) => outcome,
            Err(panic) => Err(anyhow::Error::from(panic).context("a part ended in a panic")),
        },
    }
}

fn say(line: &str) {
    eprintln!("{line}");
}
