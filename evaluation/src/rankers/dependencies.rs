//! Which roles depend on which, over several sweeps.

use std::collections::{HashMap, HashSet};

use schemas::GraphSnapshot;

/// The edges of several sweeps, between the roles of their ends.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    targets: HashMap<String, HashSet<String>>,
}

impl Dependencies {
    /// Adds the edges of a sweep. Edges with an end outside of the snapshot are skipped.
    pub fn push(&mut self, snapshot: &GraphSnapshot) {
        let role =
            |index: i32| usize::try_from(index).ok().and_then(|index| snapshot.nodes.get(index)).map(|node| &node.role);
        for edge in &snapshot.edges {
            if let (Some(source), Some(target)) = (role(edge.source), role(edge.target)) {
                self.targets.entry(source.clone()).or_default().insert(target.clone());
            }
        }
    }

    /// `role` and all roles that it depends on, directly or indirectly.
    pub fn reachable_from(&self, role: &str) -> HashSet<String> {
        let mut reachable = HashSet::from([role.to_owned()]);
        let mut pending = vec![role];
        while let Some(next) = pending.pop() {
            for target in self.targets.get(next).into_iter().flatten() {
                if reachable.insert(target.clone()) {
                    pending.push(target);
                }
            }
        }
        reachable
    }
}
