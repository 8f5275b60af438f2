//! Synthetic snapshots of a healthy host.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use schemas::{Column, Edge, GraphSnapshot, HealthSource, HealthySnapshot, Node, Timestamp};

/// Time between two sweeps, in milliseconds.
pub const INTERVAL_MS: i64 = 1000;
/// Name of the host and of its cohort.
pub const HOST: &str = "made-up";

const KINDS: [(&str, &str); 4] = [
    ("process", "/usr/bin/worker worker-#"),
    ("process", "/usr/sbin/cron cron"),
    ("file", "/var/log/app.log"),
    ("endpoint", "worker:80"),
];

/// `count` consecutive sweeps of a host with `size` nodes; deterministic for each `seed`.
pub fn sweeps(size: usize, count: usize, seed: u64) -> Vec<GraphSnapshot> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..count).map(|sequence| sweep(size, sequence, &mut random)).collect()
}

fn sweep(size: usize, sequence: usize, random: &mut SmallRng) -> GraphSnapshot {
    let mut nodes: Vec<Node> = (0..size - 1).map(node).collect();
    nodes.push(Node {
        id: "s:cpu".into(),
        kind: "system".into(),
        role: "cpu".into(),
        name: "cpu".into(),
        ..Node::default()
    });
    let ended_at = Timestamp(1_700_000_000_000 + sequence as i64 * INTERVAL_MS);
    let mut noisy = |of_kind: &str, level: f32, noise: f32| {
        let of_kind = (0..size - 1).filter(|&at| KINDS[at % 4].0 == of_kind);
        let (nodes, values) = of_kind.map(|at| (at as i32, level + noise * random.random::<f32>())).unzip();
        (nodes, values)
    };
    let columns = vec![
        column("cpu_pct", "percent", "rate", noisy("process", 5.0, 20.0)),
        column("memory_rss", "B", "gauge", noisy("process", 5e7, 1e6)),
        column("lock_wait_ms", "ms", "gauge", noisy("file", 0.0, 5.0)),
        column("rtt_ms", "ms", "gauge", noisy("endpoint", 1.0, 1.0)),
        column("psi_cpu_some", "percent", "gauge", (vec![size as i32 - 1], vec![sequence as f32 % 10.0])),
    ];
    let edges = (1..size - 1).map(|at| Edge {
        source: at as i32,
        target: (at / 2) as i32,
        kind: "parent".into(),
        basis: "observed".into(),
        ..Edge::default()
    });
    GraphSnapshot {
        host: HOST.into(),
        cohort: HOST.into(),
        run: "run".into(),
        sequence: sequence as i64,
        started_at: Timestamp(ended_at.0 - 5),
        ended_at,
        interval_ms: INTERVAL_MS,
        edges: edges.collect(),
        nodes,
        columns,
        ..GraphSnapshot::default()
    }
}

/// Index of the only node with a unique role.
pub const SINGLE: usize = 0;

fn node(at: usize) -> Node {
    let (kind, role) = if at == SINGLE { ("process", "/usr/bin/single single") } else { KINDS[at % 4] };
    Node { id: format!("n:{at}"), kind: kind.into(), role: role.into(), name: format!("node {at}"), ..Node::default() }
}

fn column(name: &str, unit: &str, form: &str, (nodes, values): (Vec<i32>, Vec<f32>)) -> Column {
    Column { name: name.into(), unit: unit.into(), form: form.into(), nodes, values, missing: Vec::new() }
}

/// Sets the value of one column of one node.
pub fn set(snapshot: &mut GraphSnapshot, column: &str, node: usize, value: f32) {
    let column = snapshot.columns.iter_mut().find(|it| it.name == column).expect("a column");
    let at = column.nodes.iter().position(|&it| it == node as i32).expect("a node of the column");
    column.values[at] = value;
}

/// Wraps a snapshot as the `learned`-th of `wanted` snapshots of the learning phase.
pub fn record(snapshot: &GraphSnapshot, generation: i64, learned: i64, wanted: i64) -> HealthySnapshot {
    HealthySnapshot {
        host: snapshot.host.clone(),
        cohort: snapshot.cohort.clone(),
        generation,
        vouched_by: if wanted > 0 { HealthSource::Learning } else { HealthSource::Gate },
        learned,
        wanted,
        time: snapshot.ended_at,
        snapshot: schemas::encode(snapshot).expect("a sound snapshot"),
    }
}
