//! Incidents of one host: when they open, change, become stale and are resolved.

mod active;

use std::collections::{HashMap, HashSet, VecDeque};

use schemas::{EventKind, GraphSnapshot, Incident, IncidentState, RootCauseEvent, Timestamp};

use crate::{blame::RootCauseCandidate, config::AlarmConfig, score::ScoredGraph};
use active::{ActiveIncident, fingerprint, present_fingerprint};

/// Number of sweeps that persistence looks at.
const PERSISTENCE_SWEEPS: usize = 3;

/// Tracks the incidents of one host.
#[derive(Debug)]
pub struct IncidentTracker {
    config: AlarmConfig,
    /// Ids of the alarming nodes and root causes of each of the last [`PERSISTENCE_SWEEPS`].
    sweeps: VecDeque<HashSet<String>>,
    active: Vec<ActiveIncident>,
    /// Id of the last incident of each fingerprint.
    last_by_fingerprint: HashMap<String, String>,
}

/// A change of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Event for the alerts topic.
    pub event: RootCauseEvent,
    /// State of the incident after the event, for the incidents topic.
    pub incident: Incident,
}

impl IncidentTracker {
    /// A tracker that continues the known incidents of a host.
    pub fn new(config: AlarmConfig, known: impl IntoIterator<Item = Incident>) -> IncidentTracker {
        let mut active = Vec::new();
        let mut last_by_fingerprint = HashMap::new();
        for mut incident in known {
            incident.fingerprint = present_fingerprint(&incident.fingerprint);
            last_by_fingerprint.insert(incident.fingerprint.clone(), incident.incident.clone());
            if incident.state != IncidentState::Resolved {
                active.push(ActiveIncident::restore(incident));
            }
        }
        IncidentTracker { config, sweeps: VecDeque::new(), active, last_by_fingerprint }
    }

    /// Whether the host has an incident that is not resolved.
    pub fn has_open(&self) -> bool {
        !self.active.is_empty()
    }

    /// Incidents that are not resolved.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.active.iter().map(|active| &active.incident)
    }

    /// Open incidents because of which something fails or waits.
    pub fn open_with_impact(&self) -> impl Iterator<Item = &Incident> {
        self.open().filter(|incident| !incident.impact.is_empty())
    }

    /// Updates incidents with the root causes of a sweep, the highest score first. Returns the
    /// changes, and whether threshold and persistence were met.
    pub fn process_sweep(&mut self, scored: &ScoredGraph, candidates: &[RootCauseCandidate]) -> (Vec<Change>, bool) {
        self.record_sweep(scored, candidates);
        let persistent: Vec<&RootCauseCandidate> =
            candidates.iter().filter(|candidate| self.is_persistent(scored, candidate)).collect();
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        for candidate in &persistent {
            match self.active.iter().position(|active| active.matches(scored, candidate)) {
                Some(index) => {
                    // Only the first match, which has the highest score, updates the incident. The
                    // others are consequences of it.
                    if seen.insert(self.active[index].incident.incident.clone()) {
                        changes.extend(self.active[index].update(scored, candidate));
                    }
                }
                None => {
                    let active = self.open_incident(scored, candidate);
                    seen.insert(active.incident.incident.clone());
                    changes.push(active.to_change(EventKind::Opened));
                    self.active.push(active);
                }
            }
        }
        changes.extend(self.count_quiet_sweep(scored.graph.snapshot(), &seen));
        (changes, !persistent.is_empty())
    }

    /// Marks all open incidents as stale, because the host sends no snapshots.
    pub fn mark_stale(&mut self, time: Timestamp) -> Vec<Change> {
        let open = self.active.iter_mut().filter(|active| active.incident.state == IncidentState::Open);
        open.map(|active| {
            active.incident.state = IncidentState::Stale;
            active.incident.updated_at = time;
            active.to_change(EventKind::Stale)
        })
        .collect()
    }

    fn record_sweep(&mut self, scored: &ScoredGraph, candidates: &[RootCauseCandidate]) {
        let nodes = candidates.iter().flat_map(|candidate| candidate.alarming.iter().chain([&candidate.root]));
        self.sweeps.push_back(nodes.map(|&node| scored.graph.nodes()[node].id.clone()).collect());
        while self.sweeps.len() > PERSISTENCE_SWEEPS {
            self.sweeps.pop_front();
        }
    }

    /// Whether one of the nodes was seen in enough of the last sweeps.
    fn is_persistent(&self, scored: &ScoredGraph, candidate: &RootCauseCandidate) -> bool {
        // A process that starts deviates for a second or two. If no role is known, one more sweep
        // must alarm.
        let is_known = candidate.alarming.iter().any(|&node| scored.scores[node].is_known);
        let required = (self.config.sweeps_of_three as usize + usize::from(!is_known)).min(PERSISTENCE_SWEEPS);
        candidate.alarming.iter().chain([&candidate.root]).any(|&node| {
            let id = &scored.graph.nodes()[node].id;
            self.sweeps.iter().filter(|sweep| sweep.contains(id)).count() >= required
        })
    }

    fn open_incident(&mut self, scored: &ScoredGraph, candidate: &RootCauseCandidate) -> ActiveIncident {
        let snapshot = scored.graph.snapshot();
        let fingerprint = fingerprint(scored, candidate);
        // The id is derived from the snapshot, so that processing it again after a crash gives the
        // same id.
        let seed = format!("{}\n{}\n{}\n{fingerprint}", snapshot.host, snapshot.run, snapshot.sequence);
        let id = schemas::release::sha256_hex(seed.as_bytes())[..16].to_owned();
        let previous = self.last_by_fingerprint.insert(fingerprint.clone(), id.clone());
        ActiveIncident::open(id, fingerprint, previous, scored, candidate)
    }

    /// Counts a quiet sweep for each incident that is not in `seen`, and resolves those that reach
    /// `alarm.quiet_sweeps`.
    fn count_quiet_sweep(&mut self, snapshot: &GraphSnapshot, seen: &HashSet<String>) -> Vec<Change> {
        let required = i32::try_from(self.config.quiet_sweeps).unwrap_or(i32::MAX);
        let mut changes = Vec::new();
        self.active.retain_mut(|active| {
            if seen.contains(&active.incident.incident) {
                return true;
            }
            active.incident.quiet_sweeps += 1;
            if active.incident.quiet_sweeps < required {
                return true;
            }
            active.incident.state = IncidentState::Resolved;
            active.incident.updated_at = snapshot.ended_at;
            changes.push(active.to_change(EventKind::Resolved));
            false
        });
        changes
    }
}
