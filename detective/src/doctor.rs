//! `detective doctor`: what snapshots of this host lack, why, and the remedies.

mod table;

use std::{
    fs,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use hostread::rights::{Capability, Hidepid, Rights};
use producer::{Producer, ProducerError, Sweeper};
use schemas::{GraphSnapshot, NodeKind, Topic};
use service::Hint;

use crate::{
    config::{Config, open_existing_bus},
    output::print,
};

/// Time between the two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints a report. Sweeps the host twice, because rates need two sweeps, and changes nothing.
///
/// # Errors
/// If the host cannot be swept.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let producer = config.producer();
    let (snapshot, duration) = tokio::task::spawn_blocking(move || sweep(producer)).await??;
    let count = |kind: NodeKind| snapshot.nodes.iter().filter(|node| node.kind == kind).count();
    print(&format!(
        "host {} (cohort {})\none sweep: {} processes, {} files, {} endpoints, {} edges in {:.1} ms\n",
        config.host,
        config.cohort,
        count(NodeKind::Process),
        count(NodeKind::File),
        count(NodeKind::Endpoint),
        snapshot.edges.len(),
        duration.as_secs_f64() * 1e3
    ))?;
    let rights = Rights::current().unwrap_or_default();
    print(&format!(
        "{}\n\n{}\n{}\ndata in {}: {}\nhttp://{}: {}\n",
        describe_rights(&rights, &config.sweep.proc),
        table::render_coverage(&snapshot, &rights),
        table::render_columns(&snapshot),
        config.bus.path.display(),
        describe_data(&config).await,
        config.api.listen,
        describe_api(&config)
    ))
}

/// The user, its capabilities, and how `/proc` is mounted.
fn describe_rights(rights: &Rights, proc: &Path) -> String {
    let capabilities = |preposition: &str, has: bool| {
        let names = Capability::ALL.iter().filter(|(capability, _)| rights.has(*capability) == has);
        let names = names.map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
        if names.is_empty() { names } else { format!(" {preposition} {names}") }
    };
    let mut text = format!("user {}{}{}", rights.user_id, capabilities("with", true), capabilities("without", false));
    let hidepid =
        fs::read("/proc/self/mountinfo").map(|mounts| Hidepid::from_mountinfo(&mounts, proc)).unwrap_or_default();
    if let Some(mode) = hidepid.mode {
        text.push_str(&format!("; `{}` is mounted with hidepid={mode}", proc.display()));
    }
    text
}

/// The second of two sweeps, and how long it took.
fn sweep(producer: Producer) -> anyhow::Result<(GraphSnapshot, Duration)> {
    let mut sweeper = Sweeper::new(producer).hint_from(ProducerError::hint)?;
    sweeper.sweep().hint_from(ProducerError::hint)?;
    std::thread::park_timeout(SWEEP_INTERVAL);
    let started = Instant::now();
    let snapshot = sweeper.sweep().hint_from(ProducerError::hint)?;
    Ok((snapshot, started.elapsed()))
}

/// The number of records in each topic.
async fn describe_data(config: &Config) -> String {
    let bus = match open_existing_bus(config).await {
        Ok(bus) => bus,
        Err(error) => return error.to_string(),
    };
    let mut counts = Vec::new();
    for topic in [Topic::Models, Topic::Incidents, Topic::Alerts, Topic::DeadLetter] {
        let mut count = 0;
        match bus::for_each(bus.as_ref(), topic, |_| count += 1).await {
            Ok(_) => counts.push(format!("{count} in {topic}")),
            Err(error) => return error.to_string(),
        }
    }
    counts.join(", ")
}

fn describe_api(config: &Config) -> &'static str {
    match TcpStream::connect_timeout(&config.api.listen, CONNECT_TIMEOUT) {
        Ok(_) => "answers",
        Err(_) => "no answer",
    }
}
