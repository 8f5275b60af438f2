//! What can be seen from here, what not, and why.

use std::net::TcpStream;

use producer::Sweeper;
use schemas::{GraphSnapshot, Topic};

use crate::config::Config;

/// Prints a table of checks. It looks at the host twice, so that rates are seen too, and changes nothing.
///
/// # Errors
/// If there is no `/proc` to look at.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let producer = config.producer();
    let (snapshot, took) = tokio::task::spawn_blocking(move || look(producer)).await??;
    let count = |kind: &str| snapshot.nodes.iter().filter(|node| node.kind == kind).count();
    println!("host {} (cohort {})", config.host, config.cohort);
    println!(
        "one look: {} processes, {} files, {} endpoints, {} edges in {:.1} ms",
        count("process"),
        count("file"),
        count("endpoint"),
        snapshot.edges.len(),
        took.as_secs_f64() * 1e3
    );
    println!("\n{:<20} {:>7} {:>8}  why missing", "signal", "seen", "missing");
    for column in &snapshot.columns {
        let missing: usize = column.missing.iter().map(|missing| missing.nodes.len()).sum();
        let reasons: Vec<&str> = column.missing.iter().map(|missing| missing.reason.as_str()).collect();
        println!("{:<20} {:>7} {missing:>8}  {}", column.name, column.nodes.len(), reasons.join(", "));
    }
    if !snapshot.coverage.is_empty() {
        println!("\nnot covered:");
    }
    for gap in &snapshot.coverage {
        println!("  {}: {} ({} times)", gap.signal, gap.reason, gap.count);
    }
    println!("\ndata in {}: {}", config.bus.path.display(), data(&config).await);
    println!("http://{}: {}", config.api.listen, api(&config));
    Ok(())
}

fn look(producer: producer::Producer) -> anyhow::Result<(GraphSnapshot, std::time::Duration)> {
    let mut sweeper = Sweeper::new(producer)?;
    sweeper.sweep()?;
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    let begun = std::time::Instant::now();
    let snapshot = sweeper.sweep()?;
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
