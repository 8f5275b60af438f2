//! Invalid graphs are rejected with a message that names the problem.

use graph::HostGraph;
use schemas::{Column, Edge, GraphSnapshot};

use crate::fixture::{graph, snapshot};

fn check(change: impl FnOnce(&mut GraphSnapshot), expected: &str) {
    let mut snapshot = snapshot("process a cpu_pct=1\nprocess b cpu_pct=2\na > b connects");
    change(&mut snapshot);
    assert_eq!(HostGraph::new(snapshot).unwrap_err().to_string(), expected);
}

#[test]
fn an_empty_graph_is_rejected() {
    check(|snapshot| *snapshot = GraphSnapshot::default(), "expected at least 2 nodes, found 0");
}

#[test]
fn a_graph_of_one_node_is_rejected() {
    check(|snapshot| snapshot.nodes.truncate(1), "expected at least 2 nodes, found 1");
}

#[test]
fn an_edge_to_a_missing_node_is_rejected() {
    for target in [2, -1, i32::MAX] {
        let edge = Edge { source: 0, target, kind: "opens".into(), ..Edge::default() };
        let expected = format!("edge 1 (`opens`) points to node {target}, but there are 2 nodes");
        check(|snapshot| snapshot.edges.push(edge), &expected);
    }
}

#[test]
fn a_value_that_is_not_finite_is_rejected() {
    let expected = "column `cpu_pct`, node `process:b`: expected a finite number, found NaN";
    check(|snapshot| snapshot.columns[0].values[1] = f32::NAN, expected);
    let expected = "column `cpu_pct`, node `process:a`: expected a finite number, found inf";
    check(|snapshot| snapshot.columns[0].values[0] = f32::INFINITY, expected);
}

#[test]
fn an_inconsistent_column_is_rejected() {
    let expected = "column `cpu_pct`: expected ascending nodes with a value each, found 2 nodes and 1 values";
    check(|snapshot| snapshot.columns[0].values.truncate(1), expected);
    let expected = "column `cpu_pct`: expected ascending nodes with a value each, found 2 nodes and 2 values";
    check(|snapshot| snapshot.columns[0].nodes.reverse(), expected);
    check(|snapshot| snapshot.columns[0].nodes[1] = 9, "column `cpu_pct` points to node 9, but there are 2 nodes");
    let twice = Column { name: "cpu_pct".into(), ..Column::default() };
    check(|snapshot| snapshot.columns.push(twice), "two columns have the name `cpu_pct`");
}

#[test]
fn two_nodes_with_one_id_are_rejected() {
    check(|snapshot| snapshot.nodes[1].id = "process:a".into(), "two nodes have the id `process:a`");
}

#[test]
fn columns_of_earlier_versions_get_their_present_names() {
    let graph = graph("process a owing_ms=7\nprocess b");
    let names: Vec<&str> = graph.snapshot().columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["request_pending_ms"]);
}

#[test]
fn a_foreign_column_keeps_its_name() {
    let mut foreign = snapshot("process a owing_ms=7\nprocess b");
    foreign.columns[0].unit = "requests".into();
    let graph = HostGraph::new(foreign).unwrap();
    assert_eq!(graph.snapshot().columns[0].name, "owing_ms");
}
