//! The ranker `random`: all suspects tie.

use std::collections::BTreeMap;

use graph::{Window, anomaly::can_be_suspect};
use schemas::{GraphSnapshot, Node, Suspect, Timestamp};

/// Ranks all nodes that may be a suspect the same.
pub struct RandomRanker {
    now: Timestamp,
    sweeps: Window<Vec<Node>>,
}

impl RandomRanker {
    /// Nodes are kept for `span_ms` of snapshot time.
    pub fn new(span_ms: i64) -> RandomRanker {
        RandomRanker { now: Timestamp::default(), sweeps: Window::new(span_ms) }
    }

    /// Adds the nodes of the next sweep.
    pub fn push(&mut self, snapshot: &GraphSnapshot) {
        self.now = snapshot.ended_at;
        let nodes = snapshot.nodes.iter().filter(|node| can_be_suspect(&node.kind)).cloned().collect();
        self.sweeps.push(self.now, nodes);
    }

    /// All suspects of the last `window_ms`, ordered by node id.
    pub fn suspects(&self, window_ms: i64) -> Vec<Suspect> {
        let seen: BTreeMap<&str, &Node> =
            self.sweeps.since(self.now, window_ms).flatten().map(|node| (node.id.as_str(), node)).collect();
        seen.into_values().map(to_suspect).collect()
    }
}

fn to_suspect(node: &Node) -> Suspect {
    Suspect {
        pid: node.pid,
        start_time: node.start_time,
        path: node.path.clone(),
        endpoint: node.endpoint.clone(),
        ..Suspect::unscored(node.kind.clone(), &node.name, &node.role)
    }
}
