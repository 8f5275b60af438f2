//! What can be seen from here, what not, and why.

mod table;

use std::{net::TcpStream, path::Path};

use hostread::rights::{Capability, Hidepid, Rights};
use producer::{ProducerError, Sweeper};
use schemas::{GraphSnapshot, NodeKind, Topic};
use service::Hint;

use crate::{config::Config, output::print};

/// Prints a table of checks. It looks at the host twice, so that rates are seen too, and changes nothing.
///
/// # Errors
/// If there is no `/proc` to look at.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let producer = config.producer();
    let (snapshot, took) = tokio::task::spawn_blocking(move || look(producer)).await??;
    let count = |kind: NodeKind| snapshot.nodes.iter().filter(|node| node.kind == kind).count();
    print(&format!(
        "host {} (cohort {})\none look: {} processes, {} files, {} endpoints, {} edges in {:.1} ms\n",
        config.host,
        config.cohort,
        count(NodeKind::Process),
        count(NodeKind::File),
        count(NodeKind::Endpoint),
        snapshot.edges.len(),
        took.as_secs_f64() * 1e3
    ))?;
    let rights = Rights::current().unwrap_or_default();
    print(&format!(
        "{}\n\n{}\n{}\ndata in {}: {}\nhttp://{}: {}\n",
        described(&rights, &config.sweep.proc),
        table::coverage(&snapshot, &rights),
        table::columns(&snapshot),
        config.bus.path.display(),
        data(&config).await,
        config.api.listen,
        api(&config)
    ))
}

/// Who looks, and through what.
fn described(rights: &Rights, proc: &Path) -> String {
    let named = |wanted: bool| {
        let named = Capability::ALL.iter().filter(|(capability, _)| rights.has(*capability) == wanted);
        named.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    let listed = |words: &str, names: String| if names.is_empty() { names } else { format!(" {words} {names}") };
    let mut text = format!("user {}{}{}", rights.user_id, listed("with", named(true)), listed("without", named(false)));
    let hidepid =
        std::fs::read("/proc/self/mountinfo").map(|mounts| Hidepid::from_mountinfo(&mounts, proc)).unwrap_or_default();
    if let Some(how) = hidepid.mode {
        text.push_str(&format!("; `{}` is mounted with hidepid={how}", proc.display()));
    }
    text
}

fn look(producer: producer::Producer) -> anyhow::Result<(GraphSnapshot, std::time::Duration)> {
    let mut sweeper = Sweeper::new(producer).hint_from(ProducerError::hint)?;
    sweeper.sweep().hint_from(ProducerError::hint)?;
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    let begun = std::time::Instant::now();
    let snapshot = sweeper.sweep().hint_from(ProducerError::hint)?;
    Ok((snapshot, begun.elapsed()))
}

async fn data(config: &Config) -> String {
    let bus = match crate::config::open_existing(config).await {
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

fn api(config: &Config) -> &'static str {
    match TcpStream::connect_timeout(&config.api.listen, std::time::Duration::from_secs(1)) {
        Ok(_) => "something answers",
        Err(_) => "nothing answers",
    }
}
