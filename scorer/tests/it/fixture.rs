//! Scored graphs from text.

use graph::{Deviation, HostGraph, NodeScore};
use schemas::{Edge, GraphSnapshot, Node, Timestamp};
use scorer::score::{ScoredColumn, ScoredGraph};
use signals::Signal;

/// Columns for deviations: all signals, and two that are not in the catalogue.
fn columns() -> Vec<ScoredColumn> {
    let signals = Signal::ALL.iter().map(|signal| signal.definition());
    let foreign =
        [("error_rate", "percent"), ("latency", "s")].map(|(name, unit)| ScoredColumn::new(name, unit.into()));
    signals.map(|signal| ScoredColumn::new(signal.name, signal.unit.clone())).chain(foreign).collect()
}

/// Parses a scored graph, one node or edge per line.
///
/// `kind name [column=score ...]` is a node with deviations in units of the threshold.
/// `source > target kind [blocked_ms]` is an edge; with `>?` it is inferred.
pub fn scored_graph(sequence: i64, text: &str) -> ScoredGraph {
    let mut snapshot = GraphSnapshot {
        host: "h".into(),
        cohort: "h".into(),
        run: "r".into(),
        sequence,
        ended_at: Timestamp(1_767_225_600_000 + sequence * 1000),
        interval_ms: 1000,
        ..GraphSnapshot::default()
    };
    let mut scores = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[1] {
            ">" | ">?" => add_edge(&mut snapshot, &words),
            _ => {
                add_node(&mut snapshot, &words);
                scores.push(score(&words[2..]));
            }
        }
    }
    ScoredGraph { graph: HostGraph::new(snapshot).unwrap(), scores, columns: columns() }
}

fn add_node(snapshot: &mut GraphSnapshot, words: &[&str]) {
    let index = snapshot.nodes.len() as i64;
    let is_file = words[0] == "file";
    snapshot.nodes.push(Node {
        id: format!("{}:{}", words[0], words[1]),
        kind: words[0].into(),
        role: words[1].trim_end_matches(|c: char| c.is_ascii_digit()).into(),
        name: words[1].into(),
        pid: (words[0] == "process").then_some(100 + index),
        start_time: Some(index),
        path: is_file.then(|| format!("/var/{}", words[1])),
        ..Node::default()
    });
}

fn add_edge(snapshot: &mut GraphSnapshot, words: &[&str]) {
    let node = |name: &str| snapshot.nodes.iter().position(|node| node.name == name).unwrap() as i32;
    let source = node(words[0]);
    let target = node(words[2]);
    let basis = if words[1] == ">" { "observed" } else { "inferred" };
    let blocked_ms = words.get(4).map(|ms| ms.parse().unwrap());
    snapshot.edges.push(Edge {
        source,
        target,
        kind: words[3].into(),
        basis: basis.into(),
        blocked_ms,
        ..Edge::default()
    });
}

fn score(words: &[&str]) -> NodeScore {
    let columns = columns();
    let mut deviations: Vec<Deviation> = words
        .iter()
        .map(|word| {
            let (name, strength) = word.split_once('=').unwrap();
            let column = columns.iter().position(|column| column.name == name).unwrap();
            let strength = strength.parse::<f32>().unwrap();
            Deviation { column, expected: 0.0, observed: strength * 100.0, strength }
        })
        .collect();
    deviations.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    NodeScore { score: deviations.first().map_or(0.0, |worst| worst.strength), is_known: true, deviations }
}
