//! An incident that is not resolved.

use std::collections::HashSet;

use schemas::{EventKind, Incident, IncidentState, RootCauseEvent, Stage, Suspect};
use signals::Signal;

use super::change::Change;
use crate::{blame::RootCauseCandidate, reasons, score::ScoredGraph, suspects};

/// Largest number of affected nodes in an event.
pub(super) const MAX_IMPACT: usize = 20;
/// Largest number of ids that an incident keeps. Beyond it, only those of the newest sweep remain.
const MAX_NODE_IDS: usize = 20_000;

/// An incident that is not resolved, with the ids of its nodes.
#[derive(Debug)]
pub(super) struct ActiveIncident {
    pub(super) incident: Incident,
    /// Id of the root cause; empty after a restart until the first matching sweep.
    root: String,
    /// Ids of all nodes that were reported as affected, or of the root causes of a collective
    /// incident.
    affected: HashSet<String>,
    /// Number of root causes of a collective incident in its last event.
    pub(super) n_reported: usize,
}

impl ActiveIncident {
    /// Continues an incident of an earlier run.
    pub(super) fn restore(incident: Incident) -> ActiveIncident {
        ActiveIncident { incident, root: String::new(), affected: HashSet::new(), n_reported: 0 }
    }

    /// An incident without suspects yet. `previous` is the id of the last incident with the same
    /// fingerprint.
    pub(super) fn new(
        id: String,
        fingerprint: String,
        previous: Option<String>,
        scored: &ScoredGraph,
    ) -> ActiveIncident {
        let snapshot = scored.graph.snapshot();
        let incident = Incident {
            incident: id,
            host: snapshot.host.clone(),
            cohort: snapshot.cohort.clone(),
            state: IncidentState::Open,
            fingerprint,
            opened_at: snapshot.ended_at,
            updated_at: snapshot.ended_at,
            quiet_sweeps: 0,
            previous,
            confidence: 0.0,
            initiating: None,
            first_failure: None,
            impact: Vec::new(),
            summary: String::new(),
        };
        ActiveIncident::restore(incident)
    }

    /// Ids of the root cause and of all affected nodes.
    pub(super) fn node_ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.root).chain(&self.affected).map(String::as_str).filter(|id| !id.is_empty())
    }

    /// Continues the incident with a matching root cause. Returns a change if the root cause
    /// changed, another node is affected, or the incident was stale.
    pub(super) fn update(&mut self, scored: &ScoredGraph, candidate: &RootCauseCandidate) -> Option<Change> {
        let was_stale = self.incident.state == IncidentState::Stale;
        self.incident.quiet_sweeps = 0;
        self.incident.state = IncidentState::Open;
        let id = |node: usize| scored.graph.nodes()[node].id.as_str();
        if self.affected.contains(id(candidate.root)) && !self.root.is_empty() {
            // An affected node that catches up with delayed work is not the root cause.
            self.incident.updated_at = scored.graph.snapshot().ended_at;
            return was_stale.then(|| self.to_change(EventKind::Updated));
        }
        let has_new_root = self.root != id(candidate.root);
        let mut affected = candidate.affected.iter().take(MAX_NODE_IDS);
        let has_newly_affected = affected.any(|&node| !self.affected.contains(id(node)));
        if !has_new_root && !has_newly_affected && !was_stale {
            return None;
        }
        self.set_root_cause(scored, candidate);
        Some(self.to_change(EventKind::Updated))
    }

    /// Sets root cause and impact to those of a sweep.
    pub(super) fn set_root_cause(&mut self, scored: &ScoredGraph, candidate: &RootCauseCandidate) {
        self.root.clone_from(&scored.graph.nodes()[candidate.root].id);
        self.affected.remove(&self.root);
        self.add_affected(scored, candidate.affected.iter().copied());
        let incident = &mut self.incident;
        incident.updated_at = scored.graph.snapshot().ended_at;
        incident.confidence = confidence(candidate.score, candidate.is_observed, candidate.is_conclusive);
        incident.initiating = suspects::initiating(scored, candidate);
        incident.impact = suspects::impact(scored, candidate, MAX_IMPACT);
        incident.first_failure = first_failure(&incident.impact, scored, candidate);
        incident.summary = reasons::summary(scored, candidate);
    }

    /// Adds the ids of affected nodes.
    pub(super) fn add_affected(&mut self, scored: &ScoredGraph, nodes: impl Iterator<Item = usize>) {
        let ids: Vec<String> = nodes.take(MAX_NODE_IDS).map(|node| scored.graph.nodes()[node].id.clone()).collect();
        if self.affected.len() + ids.len() > MAX_NODE_IDS {
            self.affected.clear();
        }
        self.affected.extend(ids);
    }

    /// Returns an event with the incident's current state.
    pub(super) fn to_change(&self, event: EventKind) -> Change {
        let incident = self.incident.clone();
        let event = RootCauseEvent {
            event,
            incident: incident.incident.clone(),
            host: incident.host.clone(),
            time: incident.updated_at,
            confidence: incident.confidence,
            previous: incident.previous.clone(),
            initiating: incident.initiating.clone(),
            first_failure: incident.first_failure.clone(),
            impact: incident.impact.clone(),
            summary: incident.summary.clone(),
        };
        Change { event, incident }
    }
}

/// What two occurrences of the same incident have in common: kind, role and symptom of the root
/// cause.
pub(super) fn fingerprint(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> String {
    let node = &scored.graph.nodes()[candidate.root];
    format!("{}|{}|{}", node.kind, node.role, candidate.symptom)
}

/// The fingerprint with the present name of its signal: incidents of earlier versions may carry a
/// former name.
pub(super) fn present_fingerprint(fingerprint: &str) -> String {
    let parts = fingerprint.rsplit_once('|');
    let present = parts.and_then(|(node, symptom)| Some(format!("{node}|{}", Signal::from_name(symptom)?.name())));
    present.unwrap_or_else(|| fingerprint.to_owned())
}

/// The affected node that has waited longest, as the first failure.
fn first_failure(impact: &[Suspect], scored: &ScoredGraph, candidate: &RootCauseCandidate) -> Option<Suspect> {
    let wait_ms = |index: &usize| {
        let waits = scored.graph.dependencies(candidate.affected[*index]).filter_map(|(edge, _)| edge.blocked_ms);
        waits.fold(0.0, f32::max)
    };
    let first = (0..impact.len()).max_by(|a, b| wait_ms(a).total_cmp(&wait_ms(b)).then(b.cmp(a)))?;
    Some(Suspect { stage: Stage::FirstFailure, ..impact[first].clone() })
}

/// Confidence from 0 to 1: 0.5 at the threshold, and more above it. An inferred step of the blame
/// path and an invisible root cause reduce it.
pub(super) fn confidence(score: f32, is_observed: bool, is_conclusive: bool) -> f64 {
    let by_score = f64::from(score) / (1.0 + f64::from(score));
    let by_basis = if is_observed { 1.0 } else { 0.8 };
    let by_visibility = if is_conclusive { 1.0 } else { 0.5 };
    (by_score * by_basis * by_visibility * 100.0).round() / 100.0
}
