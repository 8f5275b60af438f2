//! All three parts in one process on the embedded bus.

use std::{sync::Arc, time::Duration};

use bus::Bus;
use producer::ProducerError;
use schemas::Topic;
use scorer::ScorerError;
use service::Hint;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError};

use crate::{
    alerts::{self, Printer},
    config::Config,
    owner,
};

/// What is still at work when the time is up is left to the end of the process.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// Watches this host until a signal.
///
/// # Errors
/// If a part cannot start or go on.
pub async fn run(config: Config, json: bool) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let bus = crate::config::open(&config).await?;
    let _owner = owner::take(&config.bus.path).await?;
    // Only what comes from here on is printed; `alerts` shows the rest.
    let alerts_from = bus.end(Topic::Alerts).await?;
    say(&format!(
        "watching {} every {} · data in {} · http://{}",
        config.host,
        humantime::format_duration(config.sweep.interval),
        config.bus.path.display(),
        config.api.listen
    ));
    let mut parts = start_parts(&config, &bus, &shutdown);
    let printing = tokio::spawn({
        let bus = Arc::clone(&bus);
        async move { alerts::follow(bus.as_ref(), alerts_from, Printer::to_stdout(json)).await }
    });
    let outcome = first_failure(&mut parts, &shutdown).await;
    shutdown.cancel();
    let rest = async { while parts.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(TIME_TO_END, rest).await;
    // What was published at the end is printed too.
    tokio::time::sleep(Duration::from_millis(200)).await;
    printing.abort();
    outcome
}

fn start_parts(config: &Config, bus: &Arc<dyn Bus>, shutdown: &CancellationToken) -> JoinSet<anyhow::Result<()>> {
    let mut parts = JoinSet::new();
    let scoring = scorer::run(config.scorer(), Arc::clone(bus), shutdown.clone());
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
