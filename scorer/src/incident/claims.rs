//! Which incident a root cause of a sweep belongs to.

use std::collections::HashMap;

use super::active::{ActiveIncident, fingerprint};
use super::collective;
use crate::{blame::RootCauseCandidate, score::ScoredGraph};

/// The incidents that the nodes and fingerprints of one sweep belong to. Incidents are given by
/// index.
pub(super) struct Claims<'a> {
    scored: &'a ScoredGraph,
    /// The incident whose root cause or impact each node is, collective incidents excluded.
    by_node: Vec<Option<usize>>,
    /// The collective incident that each node is a root cause of.
    by_member: Vec<Option<usize>>,
    by_fingerprint: HashMap<String, usize>,
}

impl<'a> Claims<'a> {
    /// The claims of active incidents. An earlier incident comes before a later one.
    pub(super) fn new(scored: &'a ScoredGraph, active: &[ActiveIncident]) -> Claims<'a> {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        let mut by_member_id: HashMap<&str, usize> = HashMap::new();
        let mut by_fingerprint = HashMap::new();
        for (index, incident) in active.iter().enumerate() {
            by_fingerprint.entry(incident.incident.fingerprint.clone()).or_insert(index);
            let ids = if incident.is_collective() { &mut by_member_id } else { &mut by_id };
            for id in incident.node_ids() {
                ids.entry(id).or_insert(index);
            }
        }
        let by_node = |ids: &HashMap<&str, usize>| -> Vec<Option<usize>> {
            scored.graph.nodes().iter().map(|node| ids.get(node.id.as_str()).copied()).collect()
        };
        Claims { scored, by_node: by_node(&by_id), by_member: by_node(&by_member_id), by_fingerprint }
    }

    /// The incident that a root cause belongs to: it has the same fingerprint or root, or its nodes
    /// are affected by the incident. Otherwise the collective incident that has it as a root cause,
    /// or that has its symptom. What explains the root causes of a collective incident is none of
    /// them, so the nodes that it affects do not count then.
    pub(super) fn find(&self, candidate: &RootCauseCandidate) -> Option<usize> {
        let by_fingerprint = |fingerprint: &str| self.by_fingerprint.get(fingerprint).copied();
        let nodes = candidate.affected.iter().chain([&candidate.root]);
        let by_node = nodes.filter_map(|node| self.by_node[*node]).min();
        let own = by_fingerprint(&fingerprint(self.scored, candidate)).into_iter().chain(by_node).min();
        own.or_else(|| self.by_member[candidate.root])
            .or_else(|| by_fingerprint(&collective::fingerprint(self.scored, candidate)))
    }

    /// Adds the fingerprint and the nodes of a root cause to those of an incident: later root
    /// causes with these nodes are consequences of it.
    pub(super) fn add(&mut self, incident: usize, candidate: &RootCauseCandidate) {
        self.by_fingerprint.entry(fingerprint(self.scored, candidate)).or_insert(incident);
        for &node in candidate.affected.iter().chain([&candidate.root]) {
            self.by_node[node].get_or_insert(incident);
        }
    }
}
