//! Sweeps this host twice and prints the snapshot and its cost.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use producer::{Producer, Sweeper};
use schemas::GraphSnapshot;

#[expect(clippy::disallowed_methods, reason = "rates take time, and nothing else is to be done meanwhile")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let producer = Producer { host: "here".into(), cohort: "here".into(), ..Producer::default() };
    let mut sweeper = Sweeper::new(producer.clone())?;
    for _ in 0..3 {
        let start = Instant::now();
        let cpu = cpu_time()?;
        let snapshot = sweeper.sweep()?;
        let took = start.elapsed();
        let cpu = cpu_time()?.saturating_sub(cpu);
        let bytes = schemas::encode(&snapshot)?.len();
        println!("sweep {} took {took:?}, of the CPU {cpu:?}; {bytes} bytes", snapshot.sequence);
        if snapshot.sequence == 2 {
            describe(&snapshot);
        }
        std::thread::sleep(producer.sweep.interval);
    }
    Ok(())
}

/// CPU time used by this thread.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().unwrap_or("0").parse()?))
}

fn describe(snapshot: &GraphSnapshot) {
    println!("nodes {:?}", count(snapshot.nodes.iter().map(|node| node.kind.as_str())));
    println!("edges {:?}", count(snapshot.edges.iter().map(|edge| edge.kind.as_str())));
    for column in &snapshot.columns {
        let most = column.values.iter().copied().reduce(f32::max);
        let missing: Vec<_> = column.missing.iter().map(|missing| (&missing.reason, missing.nodes.len())).collect();
        println!(
            "{:18} {:7} {:4} values, most {most:?}, missing {missing:?}",
            column.name,
            column.unit,
            column.nodes.len()
        );
    }
    for node in &snapshot.nodes {
        println!("{:9} {:28} {} [{}]", node.kind, node.id, node.role, node.name.escape_debug());
    }
    for edge in &snapshot.edges {
        let name = |at: i32| snapshot.nodes.get(at as usize).map_or("?", |node| node.name.as_str());
        println!(
            "{:10} {:8} {} -> {} {:?}",
            edge.kind,
            edge.basis,
            name(edge.source),
            name(edge.target),
            edge.latency_ms
        );
    }
    for coverage in &snapshot.coverage {
        println!("not seen: {} {} {}", coverage.signal, coverage.reason, coverage.count);
    }
}

fn count<'w>(words: impl Iterator<Item = &'w str>) -> BTreeMap<&'w str, usize> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    })
}
