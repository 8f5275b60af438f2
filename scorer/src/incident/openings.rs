//! Which incidents open in a sweep, within the limits of `[alarm]`.

use std::collections::VecDeque;

use schemas::{EventKind, Timestamp};

use super::{
    IncidentTracker,
    active::{ActiveIncident, fingerprint},
    change::Change,
    collective,
};
use crate::{blame::RootCauseCandidate, config::AlarmConfig, score::ScoredGraph};

/// The span of `alarm.max_opened_per_minute`, in milliseconds.
const MINUTE_MS: i64 = 60_000;
/// Number of fingerprints whose last incident is kept.
const MAX_RECURRENCES: usize = 500;

/// When incidents of the last minute opened, in snapshot time.
#[derive(Debug, Default)]
pub(super) struct Openings {
    times: VecDeque<Timestamp>,
}

impl Openings {
    /// Number of incidents that may open in a sweep that ended at `now`, beside `n_active` ones.
    fn n_allowed(&mut self, config: &AlarmConfig, now: Timestamp, n_active: usize) -> usize {
        // A clock that was set back begins a new minute.
        self.times.retain(|time| (0..MINUTE_MS).contains(&now.millis_since(*time)));
        let left = |max: u32, used: usize| usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(used);
        left(config.max_open, n_active).min(left(config.max_opened_per_minute, self.times.len()))
    }
}

/// The last incident of each fingerprint, the latest at the end.
#[derive(Debug, Default)]
pub(super) struct Recurrences {
    incidents: VecDeque<(String, String)>,
}

impl Recurrences {
    /// Replaces the last incident of a fingerprint and returns the id of the former one.
    pub(super) fn replace(&mut self, fingerprint: &str, incident: &str) -> Option<String> {
        let index = self.incidents.iter().position(|(known, _)| known == fingerprint);
        let previous = index.and_then(|index| self.incidents.remove(index));
        if self.incidents.len() >= MAX_RECURRENCES {
            self.incidents.pop_front();
        }
        self.incidents.push_back((fingerprint.to_owned(), incident.to_owned()));
        previous.map(|(_, incident)| incident)
    }
}

/// The root causes that open incidents in one sweep.
#[derive(Default)]
pub(super) struct PlannedOpenings<'a> {
    /// One incident for each group; a group of several root causes opens a collective one.
    groups: Vec<Vec<&'a RootCauseCandidate>>,
    /// Root causes over the limits, which share one incident.
    pub(super) overflow: Vec<&'a RootCauseCandidate>,
}

impl IncidentTracker {
    /// Plans the incidents of new root causes, the highest score first: one for each, or if that
    /// exceeds the limits, one for each symptom.
    pub(super) fn plan_openings<'a>(
        &mut self,
        scored: &ScoredGraph,
        new: Vec<&'a RootCauseCandidate>,
    ) -> PlannedOpenings<'a> {
        if new.is_empty() {
            return PlannedOpenings::default();
        }
        let n_active = self.active.iter().filter(|active| !active.is_overflow()).count();
        let n_allowed = self.openings.n_allowed(&self.config, scored.graph.snapshot().ended_at, n_active);
        if new.len() <= n_allowed {
            return PlannedOpenings {
                groups: new.into_iter().map(|cause| vec![cause]).collect(),
                overflow: Vec::new(),
            };
        }
        let mut groups = collective::group_by_symptom(scored, new);
        let overflow = groups.split_off(n_allowed.min(groups.len())).into_iter().flatten().collect();
        PlannedOpenings { groups, overflow }
    }

    /// Opens the planned incidents. The root causes over the limits open one only if none collects
    /// them yet.
    pub(super) fn open_incidents(&mut self, scored: &ScoredGraph, planned: &PlannedOpenings<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        for group in &planned.groups {
            changes.push(match group.as_slice() {
                [candidate] => {
                    let fingerprint = fingerprint(scored, candidate);
                    self.open_incident(scored, fingerprint, |active| active.set_root_cause(scored, candidate))
                }
                members => {
                    let fingerprint = members.first().map(|first| collective::fingerprint(scored, first));
                    self.open_incident(scored, fingerprint.unwrap_or_default(), |active| {
                        active.set_members(scored, members)
                    })
                }
            });
            self.openings.times.push_back(scored.graph.snapshot().ended_at);
        }
        if !planned.overflow.is_empty() && !self.active.iter().any(ActiveIncident::is_overflow) {
            let set_members = |active: &mut ActiveIncident| active.set_members(scored, &planned.overflow);
            changes.push(self.open_incident(scored, collective::OVERFLOW.to_owned(), set_members));
        }
        changes
    }

    fn open_incident(
        &mut self,
        scored: &ScoredGraph,
        fingerprint: String,
        set_suspects: impl FnOnce(&mut ActiveIncident),
    ) -> Change {
        let snapshot = scored.graph.snapshot();
        // The id is derived from the snapshot, so that processing it again after a crash gives the
        // same id.
        let seed = format!("{}\n{}\n{}\n{fingerprint}", snapshot.host, snapshot.run, snapshot.sequence);
        let id = schemas::release::sha256_hex(seed.as_bytes())[..16].to_owned();
        let previous = self.recurrences.replace(&fingerprint, &id);
        let mut active = ActiveIncident::new(id, fingerprint, previous, scored);
        set_suspects(&mut active);
        let change = active.to_change(EventKind::Opened);
        self.active.push(active);
        change
    }
}
