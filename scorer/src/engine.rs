//! All state of the scorer, and how each input changes it. No clock and no bus: inputs are passed
//! in, and records to publish are returned.

mod error;
mod incident_store;
mod records;
mod releases;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bus::{Delivery, Record};
use graph::HostGraph;
use schemas::{GraphSnapshot, Incident, Timestamp};

use crate::{
    config::ScorerConfig,
    coverage::CoverageWatch,
    freshness::Freshness,
    host::{Host, SnapshotPosition},
    incident::{Change, IncidentTracker},
    learning::{Cohort, HostCondition},
    metrics::Metrics,
    score::{self, ScoreError},
};
pub use error::RejectedRecord;
pub use incident_store::IncidentStore;
use records::Outcome;
pub use records::change_records;

/// The scorer's state.
pub struct Engine {
    config: ScorerConfig,
    /// Cohorts by name.
    pub cohorts: BTreeMap<String, Cohort>,
    /// Hosts by id.
    pub hosts: BTreeMap<String, Host>,
    /// Known incidents.
    pub incidents: IncidentStore,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// When snapshots were last received, scored and published.
    pub freshness: Freshness,
    /// Generation of new cohorts after a requested relearn.
    relearn_generation: Option<i64>,
    /// Whether the state of earlier runs is being restored.
    is_restoring: bool,
    /// Partitions that snapshots were received from since the last rebalance.
    own_partitions: BTreeSet<i32>,
    /// Reading time at the first tick since the last rebalance.
    assigned_at: Option<Duration>,
    /// Those of the hosts before the last rebalance: a collapse must not become usual because of
    /// it.
    coverage_watches: BTreeMap<String, CoverageWatch>,
}

impl Engine {
    /// An engine without models and hosts, with the latest state of earlier incidents.
    ///
    /// With `config.relearn`, `now` becomes the generation of all cohorts.
    pub fn new(config: ScorerConfig, incidents: impl IntoIterator<Item = Incident>, now: Timestamp) -> Engine {
        let relearn_generation = config.relearn.then_some(now.0);
        Engine {
            config,
            cohorts: BTreeMap::new(),
            hosts: BTreeMap::new(),
            incidents: incidents.into_iter().collect(),
            metrics: Metrics::default(),
            freshness: Freshness::default(),
            relearn_generation,
            is_restoring: false,
            own_partitions: BTreeSet::new(),
            assigned_at: None,
            coverage_watches: BTreeMap::new(),
        }
    }

    /// Discards the state of all hosts, except which of their snapshots are blind.
    pub fn discard_hosts(&mut self) {
        if !self.hosts.is_empty() {
            let watches = std::mem::take(&mut self.hosts).into_iter().map(|(id, host)| (id, host.coverage_watch));
            self.coverage_watches = watches.collect();
        }
    }

    /// Discards all hosts and replaces the incidents; models stay. Called after a rebalance,
    /// because other scorers may have changed the incidents.
    pub fn reset_hosts(&mut self, incidents: IncidentStore) {
        self.discard_hosts();
        self.own_partitions.clear();
        self.assigned_at = None;
        self.incidents = incidents;
    }

    /// Processes a delivered snapshot and returns the records to publish. A snapshot that is
    /// invalid, or whose results cannot be encoded, becomes a dead letter.
    pub fn handle_snapshot(&mut self, delivery: &Delivery, now: Timestamp) -> Vec<Record> {
        self.freshness.received_at = Some(now);
        let (mut records, problem) = match self.process(delivery, now) {
            Ok(outcome) => outcome.into_records(Some(delivery.partition)),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        if let Some(reason) = problem {
            tracing::warn!(key = delivery.key, reason, "snapshot moved to the dead letters");
            records.push(delivery.to_dead_letter(&reason));
        }
        records
    }

    /// The first stage without progress in the time of `api.ready_sweeps`: see
    /// [`Freshness::late_stage`].
    pub fn late_stage(&self, now: Timestamp) -> Option<&'static str> {
        let intervals = self.hosts.values().filter_map(|host| host.newest.as_ref());
        let longest = intervals.map(|newest| newest.graph.snapshot().interval_ms).max();
        self.freshness.late_stage(now, self.config.api.ready_sweeps, longest.unwrap_or(0))
    }

    /// Checks a snapshot, and learns or scores it.
    fn process(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Outcome, RejectedRecord> {
        let snapshot: GraphSnapshot = schemas::decode(&delivery.value)?;
        snapshot.check(&delivery.key)?;
        self.own_partitions.insert(delivery.partition);
        let host = self.host_or_new(&snapshot.host, &snapshot.cohort)?;
        host.partition = Some(delivery.partition);
        let position = host.runs.advance(&snapshot);
        if position != SnapshotPosition::OtherRun {
            host.last_seen = None;
        }
        match position {
            SnapshotPosition::New => {}
            SnapshotPosition::Duplicate => {
                self.metrics.duplicates += 1;
                return Ok(Outcome::default());
            }
            SnapshotPosition::OtherRun => {
                self.metrics.other_runs += 1;
                return Ok(Outcome::default());
            }
        }
        host.coverage.clone_from(&snapshot.coverage);
        host.cohort.clone_from(&snapshot.cohort);
        if host.coverage_watch.is_blind(&snapshot) {
            self.metrics.blind += 1;
            return Ok(Outcome::default());
        }
        self.learn_or_score(snapshot, delivery, now)
    }

    fn learn_or_score(
        &mut self,
        snapshot: GraphSnapshot,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Outcome, RejectedRecord> {
        let cohort = snapshot.cohort.clone();
        let Some(model) = self.cohort_or_new(&cohort).model.clone() else {
            let graph = HostGraph::new(snapshot).map_err(ScoreError::from)?;
            if self.is_restoring {
                return Ok(Outcome::default());
            }
            let healthy = self.cohort_or_new(&cohort).admit(graph.snapshot(), &delivery.value, None);
            self.metrics.learned += u64::from(healthy.is_some());
            return Ok(Outcome { healthy, changes: Vec::new() });
        };
        let scored = score::score_snapshot(&model, snapshot)?;
        self.metrics.scored += 1;
        self.freshness.scored_at = Some(now);
        let Some(host) = self.hosts.get_mut(&delivery.key) else { return Ok(Outcome::default()) };
        let (changes, is_alarming) = host.process(scored);
        let condition = HostCondition {
            is_quiet: !is_alarming && !host.tracker.has_open(),
            has_impact: host.tracker.open_with_impact().next().is_some(),
        };
        // The host owns the scored graph now.
        let healthy = match (&host.newest, self.cohorts.get_mut(&cohort)) {
            (Some(newest), Some(cohort)) => cohort.admit(newest.graph.snapshot(), &delivery.value, Some(condition)),
            _ => None,
        };
        self.metrics.alarming += u64::from(is_alarming);
        self.record_changes(&changes, Some(delivery.partition));
        Ok(Outcome { healthy, changes })
    }

    /// Marks the incidents of hosts as stale that have sent no snapshot for `alarm.stale_after`,
    /// removes the state of hosts and incidents that are too old, and returns the records to
    /// publish. `reading_time` is the time that the scorer has spent on reading snapshots: hosts
    /// are not silent while it publishes.
    pub fn handle_tick(&mut self, now: Timestamp, reading_time: Duration) -> Vec<Record> {
        let assigned_at = *self.assigned_at.get_or_insert(reading_time);
        let mut records = self.mark_stale_hosts(now, reading_time);
        let forget_after = self.config.alarm.forget_host_after;
        let n_hosts = self.hosts.len();
        self.hosts.retain(|_, host| host.silence(reading_time) <= forget_after);
        self.metrics.hosts_forgotten += (n_hosts - self.hosts.len()) as u64;
        // Another scorer may have continued an incident of a host that is not ours, and a host of
        // ours may not have sent a snapshot yet.
        let had_time = reading_time.saturating_sub(assigned_at) > forget_after;
        let is_abandoned = |incident: &Incident, partition: Option<i32>| {
            had_time
                && partition.is_some_and(|partition| self.own_partitions.contains(&partition))
                && !self.hosts.contains_key(&incident.host)
        };
        records.extend(self.incidents.expire(now, self.config.alarm.keep_resolved, is_abandoned));
        records
    }

    fn mark_stale_hosts(&mut self, now: Timestamp, reading_time: Duration) -> Vec<Record> {
        let stale_after = self.config.alarm.stale_after;
        let mut records = Vec::new();
        let mut stale = Vec::new();
        for host in self.hosts.values_mut() {
            host.last_seen.get_or_insert(reading_time);
            if host.silence(reading_time) > stale_after {
                stale.push((host.partition, host.tracker.mark_stale(now)));
            }
        }
        for (partition, changes) in stale {
            self.record_changes(&changes, partition);
            let (encoded, problem) = Outcome { healthy: None, changes }.into_records(partition);
            records.extend(encoded);
            if let Some(reason) = problem {
                tracing::error!(reason, "event cannot be encoded");
            }
        }
        records
    }

    /// Starts an operator baseline until `until` for the cohort of one host, or for all cohorts.
    /// Returns the number of open incidents during which nothing is learned.
    pub fn start_baseline(
        &mut self,
        host: Option<&str>,
        until: Timestamp,
        include_incidents: bool,
        now: Timestamp,
    ) -> usize {
        let interval_ms =
            |host: &Host| host.newest.as_ref().map_or(1000, |newest| newest.graph.snapshot().interval_ms).max(1);
        let selected = || self.hosts.iter().filter(|(id, _)| host.is_none_or(|host| host == *id));
        let excluded: usize = selected().map(|(_, host)| host.tracker.open_with_impact().count()).sum();
        let cohorts: Vec<(String, i64)> =
            selected().map(|(_, host)| (host.cohort.clone(), until.millis_since(now) / interval_ms(host))).collect();
        for (cohort, n_snapshots) in cohorts {
            self.cohort_or_new(&cohort).start_baseline(until, n_snapshots, include_incidents);
        }
        if include_incidents { 0 } else { excluded }
    }

    /// Counts events and updates the known incidents, whose records go to `partition`.
    fn record_changes(&mut self, changes: &[Change], partition: Option<i32>) {
        for change in changes {
            self.metrics.count_event(change.event.event);
            self.incidents.insert(change.incident.clone(), partition);
        }
    }

    /// The cohort of this name, created if there is none.
    fn cohort_or_new(&mut self, name: &str) -> &mut Cohort {
        let generation = self.relearn_generation.unwrap_or(0);
        let learn = &self.config.learn;
        self.cohorts.entry(name.to_owned()).or_insert_with(|| Cohort::new(name, generation, learn.clone()))
    }

    /// The state of this host, created if there is none. Once `alarm.max_hosts` is reached, no
    /// further host is accepted, so that the state of the others remains.
    fn host_or_new(&mut self, id: &str, cohort: &str) -> Result<&mut Host, RejectedRecord> {
        let max = usize::try_from(self.config.alarm.max_hosts).unwrap_or(usize::MAX);
        if self.hosts.len() >= max && !self.hosts.contains_key(id) {
            return Err(RejectedRecord::TooManyHosts { max, host: id.to_owned() });
        }
        let config = &self.config;
        let incidents = &self.incidents;
        let coverage_watches = &mut self.coverage_watches;
        Ok(self.hosts.entry(id.to_owned()).or_insert_with(|| {
            let known = incidents.values().filter(|incident| incident.host == id).cloned();
            let mut host = Host::new(IncidentTracker::new(config.alarm.clone(), known), cohort);
            host.coverage_watch = coverage_watches.remove(id).unwrap_or_default();
            host
        }))
    }
}
