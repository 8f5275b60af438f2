//! The eleven features of the original design, encoded as in its proof of concept.

use schemas::{Edge, EdgeKind, GraphSnapshot, Node, NodeKind};
use signals::{Class, Signal, WaitFor};

use crate::{Encoded, HostGraph};

/// The names of the features, in order.
pub const FEATURES: [&str; 11] = [
    "node_type",
    "cpu_pct",
    "memory_rss",
    "state",
    "has_blocked",
    "blocked_duration",
    "latency",
    "degree_centrality",
    "betweenness",
    "psi_combined",
    "psi_critical",
];

const BYTES_PER_MB: f32 = 1_048_576.0;

/// Encodes the nodes of the four kinds that the original design knew. Edges keep their direction.
pub fn encode(graph: &HostGraph) -> Encoded {
    let node_of_row: Vec<usize> =
        (0..graph.nodes().len()).filter(|&at| node_type(&graph.nodes()[at]).is_some()).collect();
    let mut row_of_node = vec![None; graph.nodes().len()];
    for (row, &node) in node_of_row.iter().enumerate() {
        row_of_node[node] = Some(row as i64);
    }
    let pressure = Pressure::from_snapshot(graph.snapshot());
    let edges = graph.snapshot().edges.iter();
    let (sources, targets) =
        edges.filter_map(|edge| row_of_node[edge.source as usize].zip(row_of_node[edge.target as usize])).unzip();
    Encoded {
        nodes: node_of_row.len(),
        width: FEATURES.len(),
        x: node_of_row.iter().flat_map(|&node| features(graph, &pressure, node)).collect(),
        sources,
        targets,
        node_of_row,
    }
}

/// What an abnormal value of a feature means to blame, where it means something.
pub fn class(feature: &str) -> Option<Class> {
    match feature {
        "has_blocked" | "blocked_duration" => Some(Class::Wait(WaitFor::Lock)),
        _ => None,
    }
}

fn features(graph: &HostGraph, pressure: &Pressure, at: usize) -> [f32; 11] {
    let value =
        |signal: Signal| graph.snapshot().column(signal.name()).and_then(|column| column.value(at)).unwrap_or(0.0);
    let incident = || graph.dependencies(at).chain(graph.dependants(at)).map(|(edge, _)| edge);
    // The original design knew only waits for locks, not those on connections and pipes.
    let is_wait =
        |edge: &&Edge| edge.blocked_ms.is_some() && !matches!(edge.kind, EdgeKind::Pipes | EdgeKind::Connects);
    let longest = |times: &mut dyn Iterator<Item = f32>| times.fold(0.0, f32::max);
    let blocked = longest(&mut incident().filter(is_wait).filter_map(|edge| edge.blocked_ms));
    let latency = longest(&mut incident().filter_map(|edge| edge.latency_ms));
    let (incoming, outgoing) = graph.degrees(at);
    let incoming = incoming as f32;
    let outgoing = outgoing as f32;
    [
        node_type(&graph.nodes()[at]).unwrap_or(0.0),
        (value(Signal::CpuPct) / 100.0).min(1.0),
        (value(Signal::MemoryRss) / BYTES_PER_MB / 1000.0).min(1.0),
        state(value),
        if incident().any(|edge| is_wait(&edge)) { 1.0 } else { 0.0 },
        (blocked / 1000.0).min(1.0),
        (latency / 10_000.0).min(1.0),
        ((incoming + outgoing) / 10.0).min(1.0),
        // The approximation of betweenness in the original design.
        (incoming + 1.0) / (incoming + outgoing + 2.0),
        pressure.combined,
        pressure.critical,
    ]
}

fn node_type(node: &Node) -> Option<f32> {
    match node.kind {
        NodeKind::Process => Some(0.0),
        NodeKind::File => Some(1.0),
        NodeKind::Endpoint => Some(2.0),
        NodeKind::System => Some(3.0),
        _ => None,
    }
}

/// The process state as a number: R 1/3, D 2/3, Z 1, others 0.
fn state(value: impl Fn(Signal) -> f32) -> f32 {
    let states = [(Signal::Running, 1.0 / 3.0), (Signal::DiskWait, 2.0 / 3.0), (Signal::Zombie, 1.0)];
    states.into_iter().find(|(flag, _)| value(*flag) > 0.5).map_or(0.0, |(_, state)| state)
}

/// The pressure on the host, the same for every node.
struct Pressure {
    combined: f32,
    critical: f32,
}

impl Pressure {
    fn from_snapshot(snapshot: &GraphSnapshot) -> Self {
        let max = |signal: Signal| {
            let values = snapshot.column(signal.name()).map_or(&[][..], |column| &column.values);
            values.iter().copied().fold(0.0, f32::max)
        };
        let combined = 0.3 * max(Signal::PsiCpuSome) + 0.4 * max(Signal::PsiMemorySome) + 0.3 * max(Signal::PsiIoSome);
        let critical = max(Signal::PsiMemoryFull).max(max(Signal::PsiIoFull));
        Pressure { combined: combined / 100.0, critical: critical / 100.0 }
    }
}
