//! What a producer saw of one host in one sweep.

use serde::{Deserialize, Serialize};

use crate::{EdgeBasis, EdgeKind, Form, MissingReason, NodeKind, Timestamp, Unit};

/// One sweep over one host, in raw physical units. Identified by (`host`, `run`, `sequence`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphSnapshot {
    /// Host id; the record's key.
    pub host: String,
    /// The group of like hosts that share a model.
    pub cohort: String,
    /// The kernel's boot id, empty where the graph did not come from a kernel.
    pub boot_id: String,
    /// Random per producer start.
    pub run: String,
    /// Counts the sweeps of a run from 0.
    pub sequence: i64,
    /// When the sweep began.
    pub started_at: Timestamp,
    /// When the sweep was complete.
    pub ended_at: Timestamp,
    /// The interval that was asked for, in milliseconds.
    pub interval_ms: i64,
    /// Edges, columns and evidence point into this list by index.
    pub nodes: Vec<Node>,
    /// Directed: from the one that depends (child, opener, waiter, client) to what it depends on.
    pub edges: Vec<Edge>,
    /// The measured values, a column per feature.
    pub columns: Vec<Column>,
    /// Raw lines that prove an edge or a value.
    pub evidence: Vec<Evidence>,
    /// What could not be seen in this sweep, and why.
    pub coverage: Vec<Coverage>,
}

impl GraphSnapshot {
    /// The column of that name, if the snapshot declares it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A process, file, endpoint, cgroup or system resource; or a foreign graph's own kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique in the snapshot and the same in every sweep that sees this very thing.
    pub id: String,
    /// What the node is.
    pub kind: NodeKind,
    /// What carries a baseline over restarts.
    pub role: String,
    /// What a person calls it; of a process its comm.
    pub name: String,
    /// Process id.
    pub pid: Option<i64>,
    /// Clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: Option<i64>,
    /// Absolute path of a file.
    pub path: Option<String>,
    /// `ip:port`.
    pub endpoint: Option<String>,
    /// Container id, where the cgroup path tells one.
    pub container: Option<String>,
}

/// A directed relation between two nodes, from the one that depends to what it depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Index of the node that depends.
    pub source: i32,
    /// Index of the node that is depended on.
    pub target: i32,
    /// How the source depends on the target.
    pub kind: EdgeKind,
    /// Whether the kernel reports the edge or it is inferred.
    pub basis: EdgeBasis,
    /// How long the source has been blocked on the target, in milliseconds.
    pub blocked_ms: Option<f32>,
    /// Round-trip time in milliseconds, where there is one.
    pub latency_ms: Option<f32>,
    /// Of `connects`: how many connections there are; else 1.
    pub count: i32,
}

impl Default for Edge {
    fn default() -> Edge {
        Edge {
            source: 0,
            target: 0,
            kind: EdgeKind::default(),
            basis: EdgeBasis::default(),
            blocked_ms: None,
            latency_ms: None,
            count: 1,
        }
    }
}

/// One feature of some of the nodes: sparse, with the reason where a value is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The feature's name.
    pub name: String,
    /// The unit of the values.
    pub unit: Unit,
    /// How the values arise.
    pub form: Form,
    /// The nodes that have a value, ascending.
    pub nodes: Vec<i32>,
    /// As long as `nodes`; finite.
    pub values: Vec<f32>,
    /// Nodes that should have a value and could not be read. A node in neither list has no such thing.
    pub missing: Vec<Missing>,
}

impl Column {
    /// The value of a node, if it has one.
    pub fn value(&self, node: usize) -> Option<f32> {
        let node = i32::try_from(node).ok()?;
        let at = self.nodes.binary_search(&node).ok()?;
        self.values.get(at).copied()
    }
}

/// The nodes whose value is missing for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// Why the values are missing.
    pub reason: MissingReason,
    /// Indices of the nodes.
    pub nodes: Vec<i32>,
}

/// A raw line that proves an edge or a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The file or call that it was read from.
    pub source: String,
    /// The line as it was read.
    pub text: String,
    /// Indices of the nodes that it speaks of.
    pub nodes: Vec<i32>,
}

/// One signal that could not be seen in this sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The signal's name.
    pub signal: String,
    /// Why it could not be read.
    pub reason: MissingReason,
    /// How often.
    pub count: i64,
}
