//! Collective incidents: one incident for many root causes, where the limits allow no incident for
//! each.

use std::collections::HashMap;

use schemas::{EventKind, IncidentState};

use super::{
    active::{self, ActiveIncident, MAX_IMPACT},
    change::Change,
};
use crate::{blame::RootCauseCandidate, reasons, score::ScoredGraph, suspects};

/// Start of the fingerprint of a collective incident.
const PREFIX: &str = "collective|";
/// Fingerprint of the incident with the root causes of all symptoms that are over the limits.
pub(super) const OVERFLOW: &str = "collective|*|*";
/// Factor by which the number of root causes grows until the incident is updated, so that a slow
/// spread causes a few events and not one for each node.
const UPDATE_FACTOR: usize = 2;

/// What the root causes of a collective incident have in common: kind and symptom.
pub(super) fn fingerprint(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> String {
    format!("{PREFIX}{}|{}", scored.graph.nodes()[candidate.root].kind, candidate.symptom)
}

/// Groups root causes by kind and symptom, in the order of their first one.
pub(super) fn group_by_symptom<'a>(
    scored: &ScoredGraph,
    candidates: Vec<&'a RootCauseCandidate>,
) -> Vec<Vec<&'a RootCauseCandidate>> {
    let mut groups: Vec<Vec<&RootCauseCandidate>> = Vec::new();
    let mut index_by_fingerprint = HashMap::new();
    for candidate in candidates {
        let index = *index_by_fingerprint.entry(fingerprint(scored, candidate)).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.push(candidate),
            None => groups.push(vec![candidate]),
        }
    }
    groups
}

impl ActiveIncident {
    /// Whether this is one incident for many root causes.
    pub(super) fn is_collective(&self) -> bool {
        self.incident.fingerprint.starts_with(PREFIX)
    }

    /// Whether this is the incident with the root causes that are over the limits.
    pub(super) fn is_overflow(&self) -> bool {
        self.incident.fingerprint == OVERFLOW
    }

    /// Continues a collective incident with the root causes of a sweep. Returns a change if their
    /// number has doubled since the last event, or the incident was stale.
    pub(super) fn update_collective(
        &mut self,
        scored: &ScoredGraph,
        members: &[&RootCauseCandidate],
    ) -> Option<Change> {
        let was_stale = self.incident.state == IncidentState::Stale;
        self.incident.quiet_sweeps = 0;
        self.incident.state = IncidentState::Open;
        self.add_affected(scored, members.iter().map(|member| member.root));
        if !was_stale && members.len() < self.n_reported.saturating_mul(UPDATE_FACTOR) {
            return None;
        }
        self.set_members(scored, members);
        Some(self.to_change(EventKind::Updated))
    }

    /// Sets the root causes, the highest score first. None of them explains the others, so the
    /// incident has no initiating suspect: they are its impact, each initiating by itself.
    pub(super) fn set_members(&mut self, scored: &ScoredGraph, members: &[&RootCauseCandidate]) {
        self.add_affected(scored, members.iter().map(|member| member.root));
        self.n_reported = members.len();
        let highest = members.iter().map(|member| member.score).fold(0.0, f32::max);
        let is_overflow = self.is_overflow();
        let incident = &mut self.incident;
        incident.updated_at = scored.graph.snapshot().ended_at;
        incident.confidence = active::confidence(highest, false, false);
        incident.initiating = None;
        incident.first_failure = None;
        incident.impact = suspects::members(scored, members, MAX_IMPACT);
        incident.summary = reasons::collective::summary(scored, members, is_overflow);
    }
}
