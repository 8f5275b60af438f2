//! All state of the scorer, and how each input changes it. No clock and no bus: inputs are passed
//! in, and records to publish are returned.

use std::{collections::BTreeMap, sync::Arc};

use bus::{CloudEvent, Delivery, Record};
use graph::HostGraph;
use schemas::{
    CodecError, GraphSnapshot, HealthySnapshot, Incident, IncidentState, ModelRelease, Timestamp, Topic,
    codec::Record as Schema,
};

use crate::{
    config::ScorerConfig,
    host::Host,
    incident::{Change, IncidentTracker},
    learning::{Cohort, HostCondition},
    metrics::Metrics,
    model::{Model, ModelError},
    score::{self, ScoreError},
};

/// Number of incidents to keep for queries. Beyond it, the oldest resolved ones are dropped.
const MAX_INCIDENTS: usize = 200;

/// The scorer's state.
pub struct Engine {
    config: ScorerConfig,
    /// Cohorts by name.
    pub cohorts: BTreeMap<String, Cohort>,
    /// Hosts by id.
    pub hosts: BTreeMap<String, Host>,
    /// Known incidents by id.
    pub incidents: BTreeMap<String, Incident>,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// Generation of new cohorts after a requested relearn.
    relearn_generation: Option<i64>,
}

impl Engine {
    /// An engine without models and hosts, with the latest state of earlier incidents.
    ///
    /// With `config.relearn`, `now` becomes the generation of all cohorts.
    pub fn new(config: ScorerConfig, incidents: impl IntoIterator<Item = Incident>, now: Timestamp) -> Engine {
        let relearn_generation = config.relearn.then_some(now.0);
        let mut engine = Engine {
            config,
            cohorts: BTreeMap::new(),
            hosts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            metrics: Metrics::default(),
            relearn_generation,
        };
        engine.reset_hosts(incidents);
        engine
    }

    /// Discards all hosts and replaces the incidents; models stay. Called after a rebalance,
    /// because other scorers may have changed the incidents.
    pub fn reset_hosts(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        self.hosts.clear();
        self.incidents = incidents.into_iter().map(|incident| (incident.incident.clone(), incident)).collect();
    }

    /// Restores the learning progress of a cohort from a healthy record of an earlier run.
    pub fn restore_learning(&mut self, record: &HealthySnapshot) {
        self.cohort_or_new(&record.cohort).restore(record);
    }

    /// Loads a release for its cohort. A release of an older generation is ignored.
    ///
    /// # Errors
    /// If the release is not valid. The cohort's current model stays in use.
    pub fn load_release(&mut self, release: ModelRelease) -> Result<(), ModelError> {
        let cohort = self.cohort_or_new(&release.cohort);
        if release.generation < cohort.generation {
            return Ok(());
        }
        let model = Model::load(release)?;
        cohort.generation = model.release().generation;
        tracing::info!(
            cohort = cohort.name,
            model = model.release().short_name(),
            profile = model.release().profile,
            "model loaded"
        );
        cohort.model = Some(Arc::new(model));
        self.metrics.releases_loaded += 1;
        Ok(())
    }

    /// Processes a delivered snapshot and returns the records to publish. An invalid snapshot
    /// becomes a dead letter.
    ///
    /// # Errors
    /// If a record cannot be encoded.
    pub fn handle_snapshot(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Vec<Record>, CodecError> {
        let outcome = schemas::decode::<GraphSnapshot>(&delivery.value)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| self.process(snapshot, delivery, now).map_err(|error| format!("{error:#}")));
        match outcome {
            Ok(outcome) => outcome.into_records(Some(delivery.partition)),
            Err(reason) => {
                self.metrics.dead_letters += 1;
                tracing::warn!(key = delivery.key, reason, "invalid snapshot moved to the dead letters");
                Ok(vec![delivery.to_dead_letter(&reason)])
            }
        }
    }

    /// Learns or scores a snapshot.
    fn process(&mut self, snapshot: GraphSnapshot, delivery: &Delivery, now: Timestamp) -> Result<Outcome, ScoreError> {
        let host = self.host(&snapshot.host, &snapshot.cohort);
        host.last_seen_at = now;
        host.partition = Some(delivery.partition);
        if !host.advance_position(&snapshot) {
            self.metrics.duplicates += 1;
            return Ok(Outcome::default());
        }
        host.coverage.clone_from(&snapshot.coverage);
        let model = self.cohort_or_new(&snapshot.cohort).model.clone();
        let host_id = snapshot.host.clone();
        let cohort = snapshot.cohort.clone();
        let Some(model) = model else {
            let graph = HostGraph::new(snapshot)?;
            let healthy = self.cohort_or_new(&cohort).admit(graph.snapshot(), &delivery.value, None);
            self.metrics.learned += u64::from(healthy.is_some());
            return Ok(Outcome { healthy, changes: Vec::new() });
        };
        let scored = score::score_snapshot(&model, snapshot)?;
        self.metrics.scored += 1;
        let host = self.host(&host_id, &cohort);
        let (changes, is_alarming) = host.process(scored);
        let condition = HostCondition {
            is_quiet: !is_alarming && !host.tracker.has_open(),
            has_impact: host.tracker.open_with_impact().next().is_some(),
        };
        // The host owns the scored graph now. Borrow the fields of `self` separately.
        let newest = self.hosts.get(&host_id).and_then(|host| host.newest.as_ref());
        let healthy = match (newest, self.cohorts.get_mut(&cohort)) {
            (Some(newest), Some(cohort)) => cohort.admit(newest.graph.snapshot(), &delivery.value, Some(condition)),
            _ => None,
        };
        self.metrics.alarming += u64::from(is_alarming);
        self.record_changes(&changes);
        Ok(Outcome { healthy, changes })
    }

    /// Marks the incidents of hosts as stale that have sent no snapshot for `alarm.stale_after`.
    ///
    /// # Errors
    /// If a record cannot be encoded.
    pub fn mark_stale_hosts(&mut self, now: Timestamp) -> Result<Vec<Record>, CodecError> {
        let stale_after_ms = i64::try_from(self.config.alarm.stale_after.as_millis()).unwrap_or(i64::MAX);
        let silent = self.hosts.values_mut().filter(|host| now.millis_since(host.last_seen_at) > stale_after_ms);
        let stale: Vec<_> = silent.map(|host| (host.partition, host.tracker.mark_stale(now))).collect();
        let mut records = Vec::new();
        for (partition, changes) in stale {
            self.record_changes(&changes);
            records.extend(Outcome { healthy: None, changes }.into_records(partition)?);
        }
        Ok(records)
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

    /// Counts events and updates the known incidents.
    fn record_changes(&mut self, changes: &[Change]) {
        for change in changes {
            self.metrics.count_event(change.event.event);
            self.incidents.insert(change.incident.incident.clone(), change.incident.clone());
        }
        while self.incidents.len() > MAX_INCIDENTS {
            let resolved = self.incidents.values().filter(|incident| incident.state == IncidentState::Resolved);
            let oldest = resolved.min_by_key(|incident| incident.updated_at).map(|incident| incident.incident.clone());
            let Some(oldest) = oldest else { return };
            self.incidents.remove(&oldest);
        }
    }

    /// The cohort of this name, created if there is none.
    fn cohort_or_new(&mut self, name: &str) -> &mut Cohort {
        let generation = self.relearn_generation.unwrap_or(0);
        let learn = &self.config.learn;
        self.cohorts.entry(name.to_owned()).or_insert_with(|| Cohort::new(name, generation, learn.clone()))
    }

    fn host(&mut self, id: &str, cohort: &str) -> &mut Host {
        let config = &self.config;
        let incidents = &self.incidents;
        self.hosts.entry(id.to_owned()).or_insert_with(|| {
            let known = incidents.values().filter(|incident| incident.host == id).cloned();
            Host::new(IncidentTracker::new(config.alarm.clone(), known), cohort)
        })
    }
}

/// Result of processing one snapshot.
#[derive(Default)]
struct Outcome {
    healthy: Option<HealthySnapshot>,
    changes: Vec<Change>,
}

impl Outcome {
    fn into_records(self, partition: Option<i32>) -> Result<Vec<Record>, CodecError> {
        let mut records = Vec::new();
        if let Some(healthy) = self.healthy {
            records.push(to_record(Topic::Healthy, healthy.host.clone(), partition, healthy.time, &healthy)?);
        }
        for change in &self.changes {
            records.extend(change_records(change, partition)?);
        }
        Ok(records)
    }
}

/// The records of a change: its event for the alerts topic, and the new state for the incidents
/// topic.
///
/// Both go to the partition of the snapshot, so that the records of a host keep their order.
///
/// # Errors
/// If a record cannot be encoded.
pub fn change_records(change: &Change, partition: Option<i32>) -> Result<[Record; 2], CodecError> {
    let Change { event, incident } = change;
    let alert = to_record(Topic::Alerts, event.incident.clone(), partition, event.time, event)?;
    let id = format!("{}/{}/{}", event.incident, event.event, event.time.0);
    let event_type = format!("detective.incident.{}.v1", event.event);
    let alert = alert.with_cloud_event(CloudEvent {
        id,
        event_type: &event_type,
        source: format!("detective/scorer/{}", event.host),
        subject: &event.host,
        time: event.time,
    });
    let state = to_record(Topic::Incidents, incident.incident.clone(), partition, incident.updated_at, incident)?;
    Ok([alert, state])
}

fn to_record<S: Schema>(
    topic: Topic,
    key: String,
    partition: Option<i32>,
    time: Timestamp,
    value: &S,
) -> Result<Record, CodecError> {
    let record = Record::new(topic, key, schemas::encode(value)?, time);
    Ok(match partition {
        Some(partition) => record.with_partition(partition),
        None => record,
    })
}
