//! Snapshots: what a producer observed on one host in one sweep.

use serde::{Deserialize, Serialize};

use crate::{EdgeBasis, EdgeKind, Form, MissingReason, NodeKind, Timestamp, Unit};

/// One sweep of one host, in raw physical units. Identified by (`host`, `run`, `sequence`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphSnapshot {
    /// Host id; the record's key.
    pub host: String,
    /// Cohort: the hosts that share a model.
    pub cohort: String,
    /// Boot id of the kernel; empty if the graph does not come from a kernel.
    pub boot_id: String,
    /// Random id of the producer's run.
    pub run: String,
    /// Number of the sweep within the run, from 0.
    pub sequence: i64,
    /// Start of the sweep.
    pub started_at: Timestamp,
    /// End of the sweep.
    pub ended_at: Timestamp,
    /// Configured interval between sweeps, in milliseconds.
    pub interval_ms: i64,
    /// Nodes; edges, columns and evidence refer to them by index.
    pub nodes: Vec<Node>,
    /// Directed edges, from the dependent node (child, opener, waiter, client) to its dependency.
    pub edges: Vec<Edge>,
    /// Measured values, one column per signal.
    pub columns: Vec<Column>,
    /// Raw lines that prove an edge or a value.
    pub evidence: Vec<Evidence>,
    /// What this sweep could not read, and why.
    pub coverage: Vec<Coverage>,
}

impl GraphSnapshot {
    /// Returns the column with that name, if the snapshot declares it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A process, file, endpoint, control group or system resource, or a foreign graph's own kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique in the snapshot, and stable between sweeps.
    pub id: String,
    /// Kind of the node.
    pub kind: NodeKind,
    /// Role: the part of the identity that survives restarts and carries the baseline.
    pub role: String,
    /// Name shown to people; for a process its comm.
    pub name: String,
    /// Process id.
    pub pid: Option<i64>,
    /// Start time in clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: Option<i64>,
    /// Absolute path of a file.
    pub path: Option<String>,
    /// `ip:port`.
    pub endpoint: Option<String>,
    /// Container id, if the cgroup path contains one.
    pub container: Option<String>,
}

/// A directed relation from a dependent node to its dependency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Index of the dependent node.
    pub source: i32,
    /// Index of the dependency.
    pub target: i32,
    /// How the source depends on the target.
    pub kind: EdgeKind,
    /// Whether the kernel reports the edge or it is inferred.
    pub basis: EdgeBasis,
    /// How long the source has been blocked on the target, in milliseconds.
    pub blocked_ms: Option<f32>,
    /// Round-trip time in milliseconds, if there is one.
    pub latency_ms: Option<f32>,
    /// For `connects` the number of connections; else 1.
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

/// The values of one signal for some of the nodes, and the reasons for missing values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name of the signal.
    pub name: String,
    /// Unit of the values.
    pub unit: Unit,
    /// How the values arise.
    pub form: Form,
    /// Indices of the nodes with a value, ascending.
    pub nodes: Vec<i32>,
    /// Values, as long as `nodes`; finite.
    pub values: Vec<f32>,
    /// Nodes that should have a value but could not be read. The signal does not apply to a node in
    /// neither list.
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

/// Nodes whose value is missing for the same reason.
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
    /// File or call that it was read from.
    pub source: String,
    /// The line as it was read.
    pub text: String,
    /// Indices of the nodes that it refers to.
    pub nodes: Vec<i32>,
}

/// Something that this sweep could not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// What could not be read: one of the names in `signals::coverage`.
    pub signal: String,
    /// Why it could not be read.
    pub reason: MissingReason,
    /// How often.
    pub count: i64,
}
