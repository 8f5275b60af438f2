//! Graphs that did not come from a host: lines of JSON, converted to snapshots.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufRead, BufReader, Lines, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use schemas::{Column, Edge, EdgeBasis, GraphSnapshot, Missing, MissingReason, Node, NodeKind, Timestamp, Unit};
use serde::Deserialize;
use service::Hint;
use signals::Signal;

use crate::metric_names::{classic_feature, declare, node_kind};

const FORMAT_HINT: &str = "a line is `{\"t\": SECONDS, \"phase\": \"healthy\" | \"faulty\", \"nodes\": [{\"id\", \
                           \"type\", \"features\"}], \"edges\": [[FROM, TO, TYPE]]}`";

/// Phase of a case that a snapshot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the fault.
    Healthy,
    /// During the fault.
    Faulty,
}

#[derive(Deserialize)]
struct SnapshotLine {
    t: f64,
    phase: Phase,
    nodes: Vec<NodeEntry>,
    edges: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct NodeEntry {
    id: String,
    #[serde(rename = "type")]
    node_type: String,
    #[serde(default)]
    features: BTreeMap<String, Option<f64>>,
}

/// The time of a line alone.
#[derive(Deserialize)]
struct LineTime {
    t: f64,
}

/// Iterator over the snapshots of a file.
pub struct JsonLines {
    path: PathBuf,
    host: String,
    interval_ms: i64,
    line_number: usize,
    lines: Lines<BufReader<Box<dyn Read>>>,
}

/// Opens `FOLDER/NAME.jsonl.gz` or, if there is none, `FOLDER/NAME.jsonl`. `host` becomes the host
/// of all snapshots.
///
/// # Errors
/// If neither file can be read, or a line has no time.
pub fn open(folder: &Path, name: &str, host: &str) -> anyhow::Result<JsonLines> {
    let compressed = folder.join(format!("{name}.jsonl.gz"));
    let path = if compressed.exists() { compressed } else { folder.join(format!("{name}.jsonl")) };
    let interval_ms = median_interval_ms(&path)?;
    Ok(JsonLines { lines: read_lines(&path)?, path, host: host.to_owned(), interval_ms, line_number: 0 })
}

fn read_lines(path: &Path) -> anyhow::Result<Lines<BufReader<Box<dyn Read>>>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file =
        File::open(path).with_context(cannot).hint("expected `NAME.jsonl.gz` or `NAME.jsonl` beside the list")?;
    let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
    let file: Box<dyn Read> = if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(file).lines())
}

/// Median time between consecutive snapshots, because files may have gaps.
fn median_interval_ms(path: &Path) -> anyhow::Result<i64> {
    let mut times = Vec::new();
    for (number, line) in (1..).zip(read_lines(path)?) {
        times.push(parse::<LineTime>(path, number, line)?.t);
    }
    let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0).collect();
    gaps.sort_by(f64::total_cmp);
    Ok(gaps.get(gaps.len() / 2).map_or(1000, |gap| to_millis(*gap)))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, number: usize, line: io::Result<String>) -> anyhow::Result<T> {
    let context = || format!("`{}`, line {number}", path.display());
    let line = line.with_context(context)?;
    serde_json::from_str(&line).context("expected a snapshot").with_context(context).hint(FORMAT_HINT)
}

fn to_millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

impl Iterator for JsonLines {
    type Item = anyhow::Result<(Phase, GraphSnapshot)>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        self.line_number += 1;
        let parsed = parse::<SnapshotLine>(&self.path, self.line_number, line);
        Some(parsed.map(|line| (line.phase, self.to_snapshot(line))))
    }
}

impl JsonLines {
    fn to_snapshot(&self, line: SnapshotLine) -> GraphSnapshot {
        let time = Timestamp(to_millis(line.t));
        let columns = to_columns(&line.nodes);
        let edges = to_edges(&line, &columns);
        GraphSnapshot {
            host: self.host.clone(),
            cohort: self.host.clone(),
            sequence: i64::try_from(self.line_number).unwrap_or(i64::MAX),
            started_at: time,
            ended_at: time,
            interval_ms: self.interval_ms,
            nodes: line.nodes.into_iter().map(to_node).collect(),
            edges,
            columns,
            ..GraphSnapshot::default()
        }
    }
}

/// The id of a foreign node is its role, which carries the baseline. Numbers in it are not folded.
fn to_node(node: NodeEntry) -> Node {
    Node {
        kind: node_kind(&node.node_type),
        role: node.id.clone(),
        name: node.id.clone(),
        id: node.id,
        ..Node::default()
    }
}

fn to_columns(nodes: &[NodeEntry]) -> Vec<Column> {
    let mut by_name: BTreeMap<&str, Column> = BTreeMap::new();
    for (index, node) in (0..).zip(nodes) {
        for (name, value) in &node.features {
            let declaration = declare(name);
            let column = by_name.entry(name).or_insert_with(|| Column {
                name: name.clone(),
                unit: declaration.unit.clone(),
                form: declaration.form.clone(),
                ..Column::default()
            });
            match (value, column.missing.first_mut()) {
                (Some(value), _) => {
                    column.nodes.push(index);
                    column.values.push((value * declaration.factor) as f32);
                }
                (None, Some(missing)) => missing.nodes.push(index),
                (None, None) => column.missing.push(Missing { reason: MissingReason::Gone, nodes: vec![index] }),
            }
        }
    }
    by_name.into_values().collect()
}

/// Converts the edges whose ends are both in the line. The latency of an edge is the longest time
/// among the columns of its target.
fn to_edges(line: &SnapshotLine, columns: &[Column]) -> Vec<Edge> {
    let index: HashMap<&str, i32> = line.nodes.iter().map(|node| node.id.as_str()).zip(0..).collect();
    let latency = |target: i32| {
        let times = columns.iter().filter(|column| column.unit == Unit::Milliseconds);
        times.filter_map(|column| column.value(usize::try_from(target).ok()?)).reduce(f32::max)
    };
    let edge = |(source, target, kind): &(String, String, String)| {
        let source = *index.get(source.as_str())?;
        let target = *index.get(target.as_str())?;
        Some(Edge {
            source,
            target,
            kind: kind.as_str().into(),
            basis: EdgeBasis::Observed,
            latency_ms: latency(target),
            ..Edge::default()
        })
    };
    line.edges.iter().filter_map(edge).collect()
}

/// Adapts a foreign snapshot to the profile `classic`: nodes become processes, and the metrics that
/// correspond to its features get their names.
pub fn adapt_to_classic(mut snapshot: GraphSnapshot) -> GraphSnapshot {
    for node in snapshot.nodes.iter_mut().filter(|node| node.kind != NodeKind::System) {
        node.kind = NodeKind::Process;
    }
    for feature in [Signal::CpuPct, Signal::MemoryRss] {
        let column = snapshot.columns.iter_mut().find(|column| classic_feature(&column.name) == Some(feature));
        if let Some(column) = column {
            feature.name().clone_into(&mut column.name);
        }
    }
    snapshot
}
