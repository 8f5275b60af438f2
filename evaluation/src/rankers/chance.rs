//! The ranker that knows nothing.

use std::collections::BTreeMap;

use graph::{Window, anomaly::may_be_suspect};
use schemas::{GraphSnapshot, Node, Suspect, Timestamp};

/// Everyone who may be a suspect, each as likely as the other.
pub struct Chance {
    now: Timestamp,
    sweeps: Window<Vec<Node>>,
}

impl Chance {
    /// Remembers who was seen for so long, by snapshot time.
    pub fn new(span_ms: i64) -> Chance {
        Chance { now: Timestamp::default(), sweeps: Window::new(span_ms) }
    }

    /// Takes the next sweep in.
    pub fn take(&mut self, snapshot: &GraphSnapshot) {
        self.now = snapshot.ended_at;
        let may_be = snapshot.nodes.iter().filter(|node| may_be_suspect(&node.kind)).cloned().collect();
        self.sweeps.push(self.now, may_be);
    }

    /// Who was seen in the last while, by id.
    pub fn everyone(&self, window_ms: i64) -> Vec<Suspect> {
        let seen: BTreeMap<&str, &Node> =
            self.sweeps.since(self.now, window_ms).flatten().map(|node| (node.id.as_str(), node)).collect();
        seen.into_values().map(unjudged).collect()
    }
}

fn unjudged(node: &Node) -> Suspect {
    Suspect {
        pid: node.pid,
        start_time: node.start_time,
        path: node.path.clone(),
        endpoint: node.endpoint.clone(),
        ..Suspect::unjudged(node.kind.clone(), &node.name, &node.role)
    }
}
