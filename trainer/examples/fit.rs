//! Trains on synthetic snapshots and prints the elapsed time.
//!
//! `cargo run --release -p trainer --example fit [nodes] [snapshots] [profile]`
//!
//! Set the environment variable `ONNX` to a path to write the model file too.

use std::time::Instant;

use graph::Profile;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use schemas::{Column, Edge, GraphSnapshot, Node, Timestamp};
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError, TrainingConfig, TrainingJob, train_at_low_priority};

const COLUMNS: usize = 96;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), TrainerError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).and_then(|it| it.parse().ok()).unwrap_or(default);
    let nodes = number(0, 774);
    let snapshots = number(1, 60);
    let profile = arguments.get(2).and_then(|name| Profile::from_name(name)).unwrap_or_default();
    let job = TrainingJob {
        cohort: "made-up".to_owned(),
        generation: 0,
        profile,
        created_at: Timestamp(0),
        snapshots: synthetic_snapshots(nodes, snapshots),
        earlier_limits: Vec::new(),
    };
    let started = Instant::now();
    let config = TrainingConfig { write_onnx: std::env::var_os("ONNX").map(Into::into), ..TrainingConfig::default() };
    let release = train_at_low_priority(config.clone(), || job, CancellationToken::new(), Progress::stderr()).await?;
    println!("{nodes} nodes, {snapshots} snapshots, F {}: {:.2?}", release.features, started.elapsed());
    if let Some(path) = config.write_onnx {
        std::fs::write(&path, &release.onnx).map_err(|source| TrainerError::WriteOnnx { path, source })?;
    }
    Ok(())
}

fn synthetic_snapshots(nodes: usize, snapshots: usize) -> Vec<GraphSnapshot> {
    let mut random = SmallRng::seed_from_u64(1);
    let sweep = |sequence: usize| {
        let columns = (0..COLUMNS).map(|at| column(at, nodes, &mut random)).collect();
        let edges = (0..2 * nodes).map(|_| {
            let mut end = || random.random_range(0..nodes as i32);
            Edge { source: end(), target: end(), ..Edge::default() }
        });
        let time = Timestamp(1_700_000_000_000 + sequence as i64 * 1000);
        GraphSnapshot {
            host: "made-up".to_owned(),
            sequence: sequence as i64,
            started_at: time,
            ended_at: time,
            interval_ms: 1000,
            edges: edges.collect(),
            nodes: (0..nodes).map(node).collect(),
            columns,
            ..GraphSnapshot::default()
        }
    };
    (0..snapshots).map(sweep).collect()
}

fn node(at: usize) -> Node {
    let id = format!("p:{at}");
    let role = format!("/usr/bin/role-{}", at % 300);
    Node { id, kind: "process".into(), role, ..Node::default() }
}

fn column(at: usize, nodes: usize, random: &mut SmallRng) -> Column {
    let (unit, form) = [("percent", "rate"), ("B", "gauge"), ("B/s", "rate"), ("count", "gauge")][at % 4];
    let nodes: Vec<_> = (0..nodes as i32).filter(|node| !(*node as usize + at).is_multiple_of(3)).collect();
    let values = nodes.iter().map(|node| (node % 50) as f32 * (1.0 + random.random::<f32>())).collect();
    let name = format!("column_{at:02}");
    let unit = unit.into();
    let form = form.into();
    Column { name, unit, form, nodes, values, missing: Vec::new() }
}
