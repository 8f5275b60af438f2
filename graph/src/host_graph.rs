//! A snapshot, checked and turned into a graph.

use std::collections::HashSet;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use schemas::{Column, Edge, GraphSnapshot, Node};
use thiserror::Error;

/// Why a snapshot is not a valid graph.
#[derive(Debug, Error, PartialEq)]
pub enum GraphError {
    /// It has fewer than two nodes.
    #[error("expected at least 2 nodes, found {found}")]
    TooSmall {
        /// The number of nodes.
        found: usize,
    },
    /// Two nodes have the same id.
    #[error("two nodes have the id `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// An edge, a value or a missing value refers to a node that does not exist.
    #[error("{what} points to node {found}, but there are {nodes} nodes")]
    BadIndex {
        /// The edge or column.
        what: String,
        /// The index.
        found: i32,
        /// The number of nodes.
        nodes: usize,
    },
    /// Two columns have the same name.
    #[error("two columns have the name `{name}`")]
    DuplicateColumn {
        /// The column's name.
        name: String,
    },
    /// A column has not one value per node, or its nodes are not in ascending order.
    #[error("column `{name}`: expected ascending nodes with a value each, found {nodes} nodes and {values} values")]
    InvalidColumn {
        /// The column's name.
        name: String,
        /// The length of its list of nodes.
        nodes: usize,
        /// The length of its list of values.
        values: usize,
    },
    /// A value is not finite.
    #[error("column `{name}`, node `{node}`: expected a finite number, found {value}")]
    NotFinite {
        /// The column's name.
        name: String,
        /// The node's id.
        node: String,
        /// The value.
        value: f32,
    },
}

/// A valid snapshot with its edges as a graph. Node `i` of the graph is node `i` of the snapshot.
#[derive(Clone, Debug)]
pub struct HostGraph {
    snapshot: GraphSnapshot,
    graph: DiGraph<(), usize>,
}

impl HostGraph {
    /// Checks the snapshot, and gives columns of earlier versions their present names.
    ///
    /// # Errors
    /// The first problem that is found.
    pub fn new(mut snapshot: GraphSnapshot) -> Result<Self, GraphError> {
        use_present_names(&mut snapshot);
        check_nodes(&snapshot.nodes)?;
        check_columns(&snapshot)?;
        let mut graph = DiGraph::with_capacity(snapshot.nodes.len(), snapshot.edges.len());
        for _ in &snapshot.nodes {
            graph.add_node(());
        }
        for (at, edge) in snapshot.edges.iter().enumerate() {
            let what = || format!("edge {at} (`{}`)", edge.kind);
            let source = index_in(&snapshot.nodes, edge.source, what)?;
            let target = index_in(&snapshot.nodes, edge.target, what)?;
            graph.add_edge(NodeIndex::new(source), NodeIndex::new(target), at);
        }
        Ok(HostGraph { snapshot, graph })
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &GraphSnapshot {
        &self.snapshot
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.snapshot.nodes
    }

    /// All edges in the order of the snapshot, each with the indices of its source and target.
    pub fn edges(&self) -> impl Iterator<Item = (&Edge, usize, usize)> {
        let ends = self.graph.edge_references();
        ends.map(|edge| (&self.snapshot.edges[*edge.weight()], edge.source().index(), edge.target().index()))
    }

    /// The edges from a node, each with the index of its target.
    pub fn dependencies(&self, node: usize) -> impl Iterator<Item = (&Edge, usize)> {
        self.edges_of(node, Direction::Outgoing)
    }

    /// The edges to a node, each with the index of its source.
    pub fn dependants(&self, node: usize) -> impl Iterator<Item = (&Edge, usize)> {
        self.edges_of(node, Direction::Incoming)
    }

    /// In- and out-degree of a node.
    pub fn degrees(&self, node: usize) -> (usize, usize) {
        let count = |direction| self.graph.edges_directed(NodeIndex::new(node), direction).count();
        (count(Direction::Incoming), count(Direction::Outgoing))
    }

    fn edges_of(&self, node: usize, direction: Direction) -> impl Iterator<Item = (&Edge, usize)> {
        self.graph.edges_directed(NodeIndex::new(node), direction).map(move |edge| {
            let other = if direction == Direction::Outgoing { edge.target() } else { edge.source() };
            (&self.snapshot.edges[*edge.weight()], other.index())
        })
    }
}

/// Recordings and producers of earlier versions have other names for some columns.
fn use_present_names(snapshot: &mut GraphSnapshot) {
    for column in &mut snapshot.columns {
        if let Some(name) = signals::present_name(&column.name, &column.unit) {
            name.clone_into(&mut column.name);
        }
    }
}

fn check_nodes(nodes: &[Node]) -> Result<(), GraphError> {
    if nodes.len() < 2 {
        return Err(GraphError::TooSmall { found: nodes.len() });
    }
    let mut ids = HashSet::with_capacity(nodes.len());
    match nodes.iter().find(|node| !ids.insert(node.id.as_str())) {
        Some(node) => Err(GraphError::DuplicateId { id: node.id.clone() }),
        None => Ok(()),
    }
}

fn check_columns(snapshot: &GraphSnapshot) -> Result<(), GraphError> {
    let mut names = HashSet::new();
    for column in &snapshot.columns {
        if !names.insert(column.name.as_str()) {
            return Err(GraphError::DuplicateColumn { name: column.name.clone() });
        }
        check_column(column, &snapshot.nodes)?;
    }
    Ok(())
}

fn check_column(column: &Column, nodes: &[Node]) -> Result<(), GraphError> {
    let what = || format!("column `{}`", column.name);
    let ascending = column.nodes.windows(2).all(|pair| pair[0] < pair[1]);
    if column.nodes.len() != column.values.len() || !ascending {
        let nodes = column.nodes.len();
        let values = column.values.len();
        return Err(GraphError::InvalidColumn { name: column.name.clone(), nodes, values });
    }
    for (&node, &value) in column.nodes.iter().zip(&column.values) {
        let at = index_in(nodes, node, what)?;
        if !value.is_finite() {
            return Err(GraphError::NotFinite { name: column.name.clone(), node: nodes[at].id.clone(), value });
        }
    }
    for &node in column.missing.iter().flat_map(|missing| &missing.nodes) {
        index_in(nodes, node, what)?;
    }
    Ok(())
}

fn index_in(nodes: &[Node], found: i32, what: impl Fn() -> String) -> Result<usize, GraphError> {
    usize::try_from(found).ok().filter(|index| *index < nodes.len()).ok_or_else(|| GraphError::BadIndex {
        what: what(),
        found,
        nodes: nodes.len(),
    })
}
