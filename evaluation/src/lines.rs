//! A graph that did not come from a host, from a line of JSON to a snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader, Lines, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use schemas::{Column, Edge, EdgeBasis, GraphSnapshot, Missing, MissingReason, Node, NodeKind, Timestamp, Unit};
use serde::Deserialize;
use service::Hint;

use super::columns;

const FORM: &str = "a line is `{\"t\": SECONDS, \"phase\": \"healthy\" | \"faulty\", \"nodes\": [{\"id\", \"type\", \
                    \"features\"}], \"edges\": [[FROM, TO, TYPE]]}`";

/// Which part of a case a snapshot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// All is well.
    Healthy,
    /// Something is wrong.
    Faulty,
}

#[derive(Deserialize)]
struct Line {
    t: f64,
    phase: Phase,
    nodes: Vec<LineNode>,
    edges: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct LineNode {
    id: String,
    #[serde(rename = "type")]
    of_type: String,
    #[serde(default)]
    features: BTreeMap<String, Option<f64>>,
}

/// When a line's snapshot was taken; the rest of it is not looked at.
#[derive(Deserialize)]
struct LineTime {
    t: f64,
}

/// The snapshots of a file, in its order.
pub struct Snapshots {
    path: PathBuf,
    host: String,
    interval_ms: i64,
    number: usize,
    lines: Lines<BufReader<Box<dyn Read>>>,
}

/// Opens `FOLDER/NAME.jsonl.gz`, or the same without compression.
///
/// # Errors
/// If neither is there, or a line tells no time.
pub fn open(folder: &Path, name: &str, host: &str) -> anyhow::Result<Snapshots> {
    let packed = folder.join(format!("{name}.jsonl.gz"));
    let path = if packed.exists() { packed } else { folder.join(format!("{name}.jsonl")) };
    let interval_ms = median_gap_ms(&path)?;
    Ok(Snapshots { lines: lines(&path)?, path, host: host.to_owned(), interval_ms, number: 0 })
}

fn lines(path: &Path) -> anyhow::Result<Lines<BufReader<Box<dyn Read>>>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file =
        File::open(path).with_context(cannot).hint("expected `NAME.jsonl.gz` or `NAME.jsonl` beside the list")?;
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    let file: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(file).lines())
}

/// The usual time between two snapshots; there may be gaps.
fn median_gap_ms(path: &Path) -> anyhow::Result<i64> {
    let time = |(at, line)| anyhow::Ok(parse::<LineTime>(path, at + 1, line)?.t);
    let times = lines(path)?.enumerate().map(time).collect::<Result<Vec<f64>, _>>()?;
    let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0).collect();
    gaps.sort_by(f64::total_cmp);
    Ok(gaps.get(gaps.len() / 2).map_or(1000, |gap| millis(*gap)))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, number: usize, line: std::io::Result<String>) -> anyhow::Result<T> {
    let place = || format!("`{}`, line {number}", path.display());
    let line = line.with_context(place)?;
    serde_json::from_str(&line).context("expected a snapshot").with_context(place).hint(FORM)
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

impl Iterator for Snapshots {
    type Item = anyhow::Result<(Phase, GraphSnapshot)>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        self.number += 1;
        let parsed = parse::<Line>(&self.path, self.number, line);
        Some(parsed.map(|line| (line.phase, self.snapshot(line))))
    }
}

impl Snapshots {
    fn snapshot(&self, line: Line) -> GraphSnapshot {
        let time = Timestamp(millis(line.t));
        let columns = columns(&line.nodes);
        let edges = edges(&line, &columns);
        GraphSnapshot {
            host: self.host.clone(),
            cohort: self.host.clone(),
            sequence: i64::try_from(self.number).unwrap_or(i64::MAX),
            started_at: time,
            ended_at: time,
            interval_ms: self.interval_ms,
            nodes: line.nodes.into_iter().map(node).collect(),
            edges,
            columns,
            ..GraphSnapshot::default()
        }
    }
}

/// What a node is called is what carries its baseline: nothing of it is folded.
fn node(node: LineNode) -> Node {
    Node {
        kind: columns::kind(&node.of_type),
        role: node.id.clone(),
        name: node.id.clone(),
        id: node.id,
        ..Node::default()
    }
}

fn columns(nodes: &[LineNode]) -> Vec<Column> {
    let mut by_name: BTreeMap<&str, Column> = BTreeMap::new();
    for (at, node) in (0..).zip(nodes) {
        for (name, value) in &node.features {
            let declared = columns::declared(name);
            let column = by_name.entry(name).or_insert_with(|| Column {
                name: name.clone(),
                unit: declared.unit.clone(),
                form: declared.form.clone(),
                ..Column::default()
            });
            match (value, column.missing.first_mut()) {
                (Some(value), _) => {
                    column.nodes.push(at);
                    column.values.push((value * declared.factor) as f32);
                }
                (None, Some(missing)) => missing.nodes.push(at),
                (None, None) => column.missing.push(Missing { reason: MissingReason::Gone, nodes: vec![at] }),
            }
        }
    }
    by_name.into_values().collect()
}

/// The edges between nodes of the line; one that leads to a node of which nothing was seen is left out. An edge's latency is the
/// longest that the node it leads to shows.
fn edges(line: &Line, columns: &[Column]) -> Vec<Edge> {
    let place: HashMap<&str, i32> = line.nodes.iter().map(|node| node.id.as_str()).zip(0..).collect();
    let latency = |target: i32| {
        let times = columns.iter().filter(|column| column.unit == Unit::Milliseconds);
        times.filter_map(|column| column.value(usize::try_from(target).ok()?)).reduce(f32::max)
    };
    let edge = |(source, target, kind): &(String, String, String)| {
        let (source, target) = (*place.get(source.as_str())?, *place.get(target.as_str())?);
        let basis = EdgeBasis::Observed;
        let latency_ms = latency(target);
        Some(Edge { source, target, kind: kind.as_str().into(), basis, latency_ms, ..Edge::default() })
    };
    line.edges.iter().filter_map(edge).collect()
}

/// The snapshot as the original design would have had it: its own four kinds, and its own names for what it reads.
pub fn as_the_original(mut snapshot: GraphSnapshot) -> GraphSnapshot {
    for node in snapshot.nodes.iter_mut().filter(|node| node.kind != NodeKind::System) {
        node.kind = NodeKind::Process;
    }
    for name in ["cpu_pct", "memory_rss"] {
        let column = snapshot.columns.iter_mut().find(|column| columns::original_name(&column.name) == Some(name));
        if let Some(column) = column {
            name.clone_into(&mut column.name);
        }
    }
    snapshot
}
