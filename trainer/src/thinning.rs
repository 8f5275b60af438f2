//! Thins out snapshots of very large hosts, so that a few of them fit in memory.

use std::collections::HashMap;

use schemas::{Column, Edge, GraphSnapshot, Missing};

/// Removes nodes beyond `max_nodes`, with their edges and values.
///
/// Roles lose nodes in proportion to how common they are: of each role the first node by id is kept
/// before the second of any. Ids are stable between sweeps, so the same nodes remain in all
/// snapshots of a host.
pub(crate) fn thin(snapshot: GraphSnapshot, max_nodes: usize) -> GraphSnapshot {
    if snapshot.nodes.len() <= max_nodes {
        return snapshot;
    }
    let new_index = new_indices(&snapshot, max_nodes);
    let to_new = |old: &i32| usize::try_from(*old).ok().and_then(|old| *new_index.get(old)?);
    let edges = snapshot.edges.into_iter().filter_map(|edge| {
        let source = to_new(&edge.source)?;
        let target = to_new(&edge.target)?;
        Some(Edge { source, target, ..edge })
    });
    let thin_column = |column: Column| {
        let kept = column.nodes.iter().zip(&column.values).filter_map(|(node, value)| Some((to_new(node)?, *value)));
        let (nodes, values) = kept.unzip();
        let missing = column.missing.into_iter().map(|missing| {
            let nodes = missing.nodes.iter().filter_map(to_new).collect();
            Missing { nodes, ..missing }
        });
        Column { nodes, values, missing: missing.collect(), ..column }
    };
    let kept = snapshot.nodes.into_iter().zip(&new_index).filter(|(_, index)| index.is_some());
    GraphSnapshot {
        edges: edges.collect(),
        columns: snapshot.columns.into_iter().map(thin_column).collect(),
        nodes: kept.map(|(node, _)| node).collect(),
        evidence: Vec::new(),
        ..snapshot
    }
}

/// The index of each node after the others are removed; `None` if it is removed.
fn new_indices(snapshot: &GraphSnapshot, max_nodes: usize) -> Vec<Option<i32>> {
    let mut by_id: Vec<usize> = (0..snapshot.nodes.len()).collect();
    by_id.sort_unstable_by_key(|node| &snapshot.nodes[*node].id);
    let mut n_with_role = HashMap::new();
    let mut by_priority: Vec<(usize, usize)> = Vec::new();
    for node in by_id {
        let n_before = n_with_role.entry((&snapshot.nodes[node].kind, &snapshot.nodes[node].role)).or_insert(0);
        by_priority.push((*n_before, node));
        *n_before += 1;
    }
    // Stable: nodes of equal priority remain in the order of their ids.
    by_priority.sort_by_key(|(n_before, _)| *n_before);
    let mut is_kept = vec![false; snapshot.nodes.len()];
    by_priority.iter().take(max_nodes).for_each(|(_, node)| is_kept[*node] = true);
    let mut next = 0..;
    is_kept.into_iter().map(|is_kept| if is_kept { next.next() } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::Node;

    fn node(id: &str, role: &str) -> Node {
        Node { id: id.to_owned(), kind: "process".into(), role: role.to_owned(), ..Node::default() }
    }

    #[test]
    fn rare_roles_keep_their_nodes_and_edges_and_values_follow_them() {
        let mut nodes: Vec<Node> = (0..6).map(|n| node(&format!("w{n}"), "worker")).collect();
        nodes.push(node("db", "database"));
        let edge = |source, target| Edge { source, target, ..Edge::default() };
        let column = Column {
            name: "cpu_pct".to_owned(),
            nodes: vec![0, 5, 6],
            values: vec![0.5, 5.5, 6.5],
            missing: vec![Missing { nodes: vec![1, 2], ..Missing::default() }],
            ..Column::default()
        };
        let snapshot = GraphSnapshot {
            nodes,
            edges: vec![edge(0, 6), edge(5, 6), edge(6, 1)],
            columns: vec![column],
            ..GraphSnapshot::default()
        };
        let thinned = thin(snapshot.clone(), 3);
        assert_eq!(thinned.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["w0", "w1", "db"]);
        assert_eq!(thinned.edges, [edge(0, 2), edge(2, 1)]);
        let column = &thinned.columns[0];
        assert_eq!((&column.nodes, &column.values, &column.missing[0].nodes), (&vec![0, 2], &vec![0.5, 6.5], &vec![1]));
        assert_eq!(thin(snapshot.clone(), 7), snapshot);
    }
}
