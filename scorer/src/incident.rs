//! Incidents of one host: when they open, change, become stale and are resolved.

mod active;
mod change;
mod claims;
mod collective;
mod openings;

use std::collections::{BTreeMap, HashSet, VecDeque};

use schemas::{EventKind, GraphSnapshot, Incident, IncidentState, Stage, Suspect, Timestamp};

use crate::{blame::RootCauseCandidate, config::AlarmConfig, score::ScoredGraph};
use active::{ActiveIncident, present_fingerprint};
pub use change::Change;
use claims::Claims;
use openings::{Openings, Recurrences};

/// Number of sweeps that persistence looks at.
const PERSISTENCE_SWEEPS: usize = 3;

/// Tracks the incidents of one host.
#[derive(Debug)]
pub struct IncidentTracker {
    config: AlarmConfig,
    /// Ids of the alarming nodes and root causes of each of the last [`PERSISTENCE_SWEEPS`].
    sweeps: VecDeque<HashSet<String>>,
    active: Vec<ActiveIncident>,
    openings: Openings,
    recurrences: Recurrences,
}

impl IncidentTracker {
    /// A tracker that continues the known incidents of a host.
    pub fn new(config: AlarmConfig, known: impl IntoIterator<Item = Incident>) -> IncidentTracker {
        let mut active = Vec::new();
        let mut recurrences = Recurrences::default();
        let mut known: Vec<Incident> = known.into_iter().collect();
        known.sort_by_key(|incident| incident.opened_at);
        for mut incident in known {
            incident.fingerprint = present_fingerprint(&incident.fingerprint);
            recurrences.replace(&incident.fingerprint, &incident.incident);
            if incident.state != IncidentState::Resolved {
                active.push(ActiveIncident::restore(incident));
            }
        }
        IncidentTracker { config, sweeps: VecDeque::new(), active, openings: Openings::default(), recurrences }
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
        // The root causes of a collective incident are its impact.
        let is_affected = |suspect: &Suspect| suspect.stage != Stage::Initiating;
        self.open().filter(move |incident| incident.impact.iter().any(is_affected))
    }

    /// Updates incidents with the root causes of a sweep, the highest score first. Returns the
    /// changes, and whether threshold and persistence were met.
    pub fn process_sweep(&mut self, scored: &ScoredGraph, candidates: &[RootCauseCandidate]) -> (Vec<Change>, bool) {
        self.record_sweep(scored, candidates);
        let persistent: Vec<&RootCauseCandidate> =
            candidates.iter().filter(|candidate| self.is_persistent(scored, candidate)).collect();
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        let mut members: BTreeMap<usize, Vec<&RootCauseCandidate>> = BTreeMap::new();
        let mut new = Vec::new();
        let mut claims = Claims::new(scored, &self.active);
        let n_active = self.active.len();
        for &candidate in &persistent {
            match claims.find(candidate) {
                Some(index) if self.active.get(index).is_some_and(ActiveIncident::is_collective) => {
                    members.entry(index).or_default().push(candidate);
                }
                // Only the first match, which has the highest score, updates the incident. The
                // others are consequences of it.
                Some(index) if index < n_active && seen.insert(index) => {
                    claims.add(index, candidate);
                    changes.extend(self.active[index].update(scored, candidate));
                }
                Some(_) => {}
                None => {
                    claims.add(n_active + new.len(), candidate);
                    new.push(candidate);
                }
            }
        }
        let openings = self.plan_openings(scored, new);
        if let Some(index) = self.active.iter().position(ActiveIncident::is_overflow) {
            members.entry(index).or_default().extend(&openings.overflow);
        }
        members.retain(|_, members| !members.is_empty());
        for (index, members) in members {
            seen.insert(index);
            changes.extend(self.active[index].update_collective(scored, &members));
        }
        changes.extend(self.open_incidents(scored, &openings));
        seen.extend(n_active..self.active.len());
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

    /// Counts a quiet sweep for each incident whose index is not in `seen`, and resolves those that
    /// reach `alarm.quiet_sweeps`.
    fn count_quiet_sweep(&mut self, snapshot: &GraphSnapshot, seen: &HashSet<usize>) -> Vec<Change> {
        let required = i32::try_from(self.config.quiet_sweeps).unwrap_or(i32::MAX);
        let mut changes = Vec::new();
        let mut indices = 0..;
        self.active.retain_mut(|active| {
            if indices.next().is_some_and(|index| seen.contains(&index)) {
                return true;
            }
            active.incident.quiet_sweeps = active.incident.quiet_sweeps.saturating_add(1);
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
