//! What is no sound graph is refused with a message that names it.

use graph::HostGraph;
use schemas::{Column, Edge, GraphSnapshot};

use crate::fixture::snapshot;

fn check(change: impl FnOnce(&mut GraphSnapshot), expected: &str) {
    let mut snapshot = snapshot("process a cpu_pct=1\nprocess b cpu_pct=2\na > b connects");
    change(&mut snapshot);
    assert_eq!(HostGraph::new(snapshot).unwrap_err().to_string(), expected);
}

#[test]
fn an_empty_graph_is_refused() {
    check(|snapshot| *snapshot = GraphSnapshot::default(), "a graph of 0 nodes: expected at least 2");
}

#[test]
fn a_graph_of_one_node_is_refused() {
    check(|snapshot| snapshot.nodes.truncate(1), "a graph of 1 nodes: expected at least 2");
}

#[test]
fn an_edge_to_nowhere_is_refused() {
    for target in [2, -1, i32::MAX] {
        let edge = Edge { source: 0, target, kind: "opens".into(), ..Edge::default() };
        let expected = format!("edge 1 (`opens`) points to node {target}, but there are 2 nodes");
        check(|snapshot| snapshot.edges.push(edge), &expected);
    }
}

#[test]
fn a_value_that_is_no_number_is_refused() {
    let expected = "column `cpu_pct` has the value NaN for node `process:b`: expected a finite number";
    check(|snapshot| snapshot.columns[0].values[1] = f32::NAN, expected);
    let expected = "column `cpu_pct` has the value inf for node `process:a`: expected a finite number";
    check(|snapshot| snapshot.columns[0].values[0] = f32::INFINITY, expected);
}

#[test]
fn a_column_that_does_not_fit_is_refused() {
    let expected = "column `cpu_pct` has 2 nodes, ascending, and 1 values: expected as many of each";
    check(|snapshot| snapshot.columns[0].values.truncate(1), expected);
    let expected = "column `cpu_pct` has 2 nodes, ascending, and 2 values: expected as many of each";
    check(|snapshot| snapshot.columns[0].nodes.reverse(), expected);
    check(|snapshot| snapshot.columns[0].nodes[1] = 9, "column `cpu_pct` points to node 9, but there are 2 nodes");
    let twice = Column { name: "cpu_pct".into(), ..Column::default() };
    check(|snapshot| snapshot.columns.push(twice), "two columns have the name `cpu_pct`");
}

#[test]
fn two_nodes_of_one_id_are_refused() {
    check(|snapshot| snapshot.nodes[1].id = "process:a".into(), "two nodes have the id `process:a`");
}
