//! Builds a snapshot from nodes, edges, values and evidence.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Edge, EdgeBasis, EdgeKind, Evidence, Node};
use signals::Signal;

use collector::measure::Measured;

use crate::emit::columns::Table;

/// Attributes of an edge.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// Whether the kernel shows the relation; else it is inferred.
    pub observed: bool,
    /// How long the source has been blocked, in milliseconds.
    pub blocked_ms: Option<f32>,
    /// Round-trip time in milliseconds.
    pub latency_ms: Option<f32>,
    /// Number of connections; 1 for edges that are not connections.
    pub count: i32,
}

impl Relation {
    /// An observed relation without times.
    pub const OBSERVED: Relation = Relation { observed: true, blocked_ms: None, latency_ms: None, count: 1 };
    /// An inferred relation without times.
    pub const INFERRED: Relation = Relation { observed: false, ..Relation::OBSERVED };
}

/// A snapshot under construction.
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
    edges: BTreeMap<(i32, i32, EdgeKind), Relation>,
    table: Table,
    evidence: BTreeMap<(String, String), BTreeSet<i32>>,
}

impl Builder {
    /// Adds a node and returns its index.
    pub fn node(&mut self, node: Node) -> i32 {
        // A record with more nodes than that would exceed every size limit.
        let at = i32::try_from(self.nodes.len()).unwrap_or(i32::MAX);
        self.nodes.push(node);
        at
    }

    /// Sets the value of a signal of a node, or the reason why it is missing.
    pub fn put(&mut self, signal: Signal, node: i32, measured: Measured) {
        self.table.put(signal, node, measured);
    }

    /// Adds an edge from a dependent node to its dependency. Duplicates merge: the longer times,
    /// the larger count and the better basis win.
    pub fn edge(&mut self, source: i32, target: i32, kind: EdgeKind, relation: Relation) {
        if source == target {
            return;
        }
        let longer = |one: Option<f32>, other: Option<f32>| one.into_iter().chain(other).reduce(f32::max);
        let known = self.edges.entry((source, target, kind)).or_insert(relation);
        known.observed |= relation.observed;
        known.blocked_ms = longer(known.blocked_ms, relation.blocked_ms);
        known.latency_ms = longer(known.latency_ms, relation.latency_ms);
        known.count = known.count.max(relation.count);
    }

    /// Adds a raw line and the nodes that it refers to.
    pub fn evidence(&mut self, source: &str, text: &str, nodes: impl IntoIterator<Item = i32>) {
        self.evidence.entry((source.to_owned(), text.to_owned())).or_default().extend(nodes);
    }

    /// Returns nodes, edges, columns and evidence as records carry them.
    pub fn finish(self) -> (Vec<Node>, Vec<Edge>, Vec<schemas::Column>, Vec<Evidence>) {
        let edges = self.edges.into_iter().map(|((source, target, kind), relation)| Edge {
            source,
            target,
            kind,
            basis: if relation.observed { EdgeBasis::Observed } else { EdgeBasis::Inferred },
            blocked_ms: relation.blocked_ms,
            latency_ms: relation.latency_ms,
            count: relation.count,
        });
        let evidence = self.evidence.into_iter().map(|((source, text), nodes)| Evidence {
            source,
            text,
            nodes: nodes.into_iter().collect(),
        });
        (self.nodes, edges.collect(), self.table.finish(), evidence.collect())
    }
}
