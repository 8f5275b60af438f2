//! Who depends on whom, over several sweeps.

use std::collections::{HashMap, HashSet};

use schemas::GraphSnapshot;

/// The edges of sweeps, by the roles of their ends.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    of: HashMap<String, HashSet<String>>,
}

impl Dependencies {
    /// Takes a sweep's edges in; such as lead nowhere are left out.
    pub fn take(&mut self, snapshot: &GraphSnapshot) {
        let role = |at: i32| usize::try_from(at).ok().and_then(|at| snapshot.nodes.get(at)).map(|node| &node.role);
        for edge in &snapshot.edges {
            if let (Some(source), Some(target)) = (role(edge.source), role(edge.target)) {
                self.of.entry(source.clone()).or_default().insert(target.clone());
            }
        }
    }

    /// A role and all that it depends on, however far away.
    pub fn reached_from(&self, role: &str) -> HashSet<String> {
        let mut reached = HashSet::from([role.to_owned()]);
        let mut ahead = vec![role];
        while let Some(next) = ahead.pop() {
            for target in self.of.get(next).into_iter().flatten() {
                if reached.insert(target.clone()) {
                    ahead.push(target);
                }
            }
        }
        reached
    }
}
