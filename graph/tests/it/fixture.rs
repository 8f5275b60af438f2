//! Small hosts, written as text.

use graph::HostGraph;
use schemas::{Column, Edge, Form, GraphSnapshot, Node, Unit};
use signals::Signal;

/// A snapshot from lines: `kind name column=value ...` for nodes, `source > target kind
/// [blocked_ms]` for edges between names.
pub fn snapshot(text: &str) -> GraphSnapshot {
    let mut snapshot =
        GraphSnapshot { host: "h".into(), cohort: "h".into(), interval_ms: 1000, ..GraphSnapshot::default() };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(1) == Some(&">") {
            let node = |name: &str| snapshot.nodes.iter().position(|node| node.name == name).unwrap() as i32;
            let source = node(words[0]);
            let target = node(words[2]);
            let blocked_ms = words.get(4).map(|ms| ms.parse().unwrap());
            let edge =
                Edge { source, target, kind: words[3].into(), basis: "observed".into(), blocked_ms, ..Edge::default() };
            snapshot.edges.push(edge);
        } else {
            add_node(&mut snapshot, &words);
        }
    }
    snapshot
}

pub fn graph(text: &str) -> HostGraph {
    HostGraph::new(snapshot(text)).unwrap()
}

fn add_node(snapshot: &mut GraphSnapshot, words: &[&str]) {
    let at = snapshot.nodes.len() as i32;
    snapshot.nodes.push(Node {
        id: format!("{}:{}", words[0], words[1]),
        kind: words[0].into(),
        role: words[1].trim_end_matches(|c: char| c.is_ascii_digit()).into(),
        name: words[1].into(),
        ..Node::default()
    });
    for value in &words[2..] {
        let (name, value) = value.split_once('=').unwrap();
        let column = match snapshot.columns.iter_mut().position(|column| column.name == name) {
            Some(column) => column,
            None => {
                let (unit, form) = unit_and_form(name);
                snapshot.columns.push(Column { name: name.into(), unit, form, ..Column::default() });
                snapshot.columns.len() - 1
            }
        };
        snapshot.columns[column].nodes.push(at);
        snapshot.columns[column].values.push(value.parse().unwrap());
    }
}

/// Unit and form of a signal. A column that is in no catalogue has no unit.
fn unit_and_form(name: &str) -> (Unit, Form) {
    match Signal::from_name(name).map(Signal::definition) {
        Some(signal) => (signal.unit.clone(), signal.form.clone()),
        None => (Unit::default(), Form::Gauge),
    }
}
