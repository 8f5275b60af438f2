//! An incident that is not resolved.

use std::collections::HashSet;

use schemas::{EventKind, Incident, IncidentState, RootCauseEvent, Stage, Suspect};
use signals::Signal;

use super::Change;
use crate::{blame::RootCauseCandidate, reasons, score::ScoredGraph, suspects};

/// Largest number of affected nodes in an event.
const MAX_IMPACT: usize = 20;

/// An incident that is not resolved, with the ids of its nodes.
#[derive(Debug)]
pub(super) struct ActiveIncident {
    pub(super) incident: Incident,
    /// Id of the root cause; empty after a restart until the first matching sweep.
    root: String,
    /// Ids of all nodes that were reported as affected.
    affected: HashSet<String>,
}

impl ActiveIncident {
    /// Continues an incident of an earlier run.
    pub(super) fn restore(incident: Incident) -> ActiveIncident {
        ActiveIncident { incident, root: String::new(), affected: HashSet::new() }
    }

    /// Opens an incident. `previous` is the id of the last incident with the same fingerprint.
    pub(super) fn open(
        id: String,
        fingerprint: String,
        previous: Option<String>,
        scored: &ScoredGraph,
        candidate: &RootCauseCandidate,
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
        let mut active = ActiveIncident::restore(incident);
        active.set_root_cause(scored, candidate);
        active
    }

    /// Whether a root cause belongs to this incident: it has the same fingerprint or root, or its
    /// nodes are affected by the incident.
    pub(super) fn matches(&self, scored: &ScoredGraph, candidate: &RootCauseCandidate) -> bool {
        let id = |node: usize| scored.graph.nodes()[node].id.as_str();
        self.incident.fingerprint == fingerprint(scored, candidate)
            || self.root == id(candidate.root)
            || self.affected.contains(id(candidate.root))
            || candidate.affected.iter().any(|&node| id(node) == self.root || self.affected.contains(id(node)))
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
        let has_newly_affected = candidate.affected.iter().any(|&node| !self.affected.contains(id(node)));
        if !has_new_root && !has_newly_affected && !was_stale {
            return None;
        }
        self.set_root_cause(scored, candidate);
        Some(self.to_change(EventKind::Updated))
    }

    fn set_root_cause(&mut self, scored: &ScoredGraph, candidate: &RootCauseCandidate) {
        let nodes = scored.graph.nodes();
        let incident = &mut self.incident;
        self.root.clone_from(&nodes[candidate.root].id);
        self.affected.remove(&self.root);
        self.affected.extend(candidate.affected.iter().map(|&node| nodes[node].id.clone()));
        incident.updated_at = scored.graph.snapshot().ended_at;
        incident.confidence = confidence(candidate);
        incident.initiating = suspects::initiating(scored, candidate);
        incident.impact = suspects::impact(scored, candidate, MAX_IMPACT);
        incident.first_failure = first_failure(&incident.impact, scored, candidate);
        incident.summary = reasons::summary(scored, candidate);
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
fn confidence(candidate: &RootCauseCandidate) -> f64 {
    let by_score = f64::from(candidate.score) / (1.0 + f64::from(candidate.score));
    let by_basis = if candidate.is_observed { 1.0 } else { 0.8 };
    let by_visibility = if candidate.is_conclusive { 1.0 } else { 0.5 };
    (by_score * by_basis * by_visibility * 100.0).round() / 100.0
}
