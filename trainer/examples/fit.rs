//! Trains on a made-up host and prints what it took: `cargo run --release -p trainer --example fit [nodes] [snapshots]
//! [profile]`.
//!
//! With `ONNX=path` in the environment it writes the model file too.

use std::time::Instant;

use graph::Profile;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use schemas::{Column, Edge, GraphSnapshot, Node, Timestamp};
use tokio_util::sync::CancellationToken;
use trainer::{Lesson, Progress, TrainerError, TrainingConfig, train_apart};

const COLUMNS: usize = 96;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), TrainerError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).and_then(|it| it.parse().ok()).unwrap_or(default);
    let (nodes, snapshots) = (number(0, 774), number(1, 60));
    let profile = arguments.get(2).and_then(|name| Profile::of_name(name)).unwrap_or_default();
    let lesson = Lesson {
        cohort: "made-up".to_owned(),
        generation: 0,
        profile,
        created_at: Timestamp(0),
        snapshots: host(nodes, snapshots),
        earlier_limits: Vec::new(),
    };
    let began = Instant::now();
    let config = TrainingConfig { write_onnx: std::env::var_os("ONNX").map(Into::into), ..TrainingConfig::default() };
    let release = train_apart(config.clone(), || lesson, CancellationToken::new(), Progress::stderr()).await?;
    println!("{nodes} nodes, {snapshots} snapshots, F {}: {:.2?}", release.features, began.elapsed());
    if let Some(path) = config.write_onnx {
        std::fs::write(&path, &release.onnx).map_err(|source| TrainerError::Onnx { path, source })?;
    }
    Ok(())
}

fn host(nodes: usize, snapshots: usize) -> Vec<GraphSnapshot> {
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
    let (id, role) = (format!("p:{at}"), format!("/usr/bin/role-{}", at % 300));
    Node { id, kind: "process".into(), role, ..Node::default() }
}

fn column(at: usize, nodes: usize, random: &mut SmallRng) -> Column {
    let (unit, form) = [("percent", "rate"), ("B", "gauge"), ("B/s", "rate"), ("count", "gauge")][at % 4];
    let nodes: Vec<_> = (0..nodes as i32).filter(|node| !(*node as usize + at).is_multiple_of(3)).collect();
    let values = nodes.iter().map(|node| (node % 50) as f32 * (1.0 + random.random::<f32>())).collect();
    let (name, unit, form) = (format!("column_{at:02}"), unit.into(), form.into());
    Column { name, unit, form, nodes, values, missing: Vec::new() }
}
