//! All of the scorer's state, and what each input makes of it. No clock, no bus: inputs go in, records come out.

use std::{collections::BTreeMap, sync::Arc};

use bus::{CloudEvent, Delivery, Record};
use graph::HostGraph;
use schemas::{
    CodecError, GraphSnapshot, HealthySnapshot, Incident, ModelRelease, Timestamp, Topic, codec::Record as Contract,
};

use crate::{
    config::ScorerConfig,
    host::Host,
    incident::{Change, Tracker},
    learning::Cohort,
    metrics::Metrics,
    model::{Model, ModelError},
    score,
};

/// How many incidents that are over are kept for those who ask.
const RESOLVED_KEPT: usize = 200;

/// The scorer's state.
pub struct Engine {
    config: ScorerConfig,
    /// Cohorts by name.
    pub cohorts: BTreeMap<String, Cohort>,
    /// Hosts by id.
    pub hosts: BTreeMap<String, Host>,
    /// The incidents that are known, by id.
    pub incidents: BTreeMap<String, Incident>,
    /// What is counted.
    pub metrics: Metrics,
    /// The generation that a relearn began at, once it was asked for.
    relearn_at: Option<i64>,
}

impl Engine {
    /// An engine that knows what the bus holds of earlier runs: incidents by their latest state.
    pub fn new(config: ScorerConfig, incidents: impl IntoIterator<Item = Incident>, now: Timestamp) -> Engine {
        let relearn_at = config.relearn.then_some(now.0);
        let mut engine = Engine {
            config,
            cohorts: BTreeMap::new(),
            hosts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            metrics: Metrics::default(),
            relearn_at,
        };
        engine.begin_anew(incidents);
        engine
    }

    /// Forgets all hosts, for other scorers may have had them; these are the incidents as they are now. Models stay.
    pub fn begin_anew(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        self.hosts.clear();
        self.incidents = incidents.into_iter().map(|incident| (incident.incident.clone(), incident)).collect();
    }

    /// A healthy record of an earlier run: it tells how far learning had come.
    pub fn recall(&mut self, record: &HealthySnapshot) {
        self.cohort(&record.cohort).recall(record);
    }

    /// A release: used if it is sound and not older than what is learned now.
    ///
    /// # Errors
    /// Says what is wrong with it; the model that was in use goes on.
    pub fn release(&mut self, release: ModelRelease) -> Result<(), ModelError> {
        let cohort = self.cohort(&release.cohort);
        if release.generation < cohort.generation {
            return Ok(());
        }
        let model = Model::load(release)?;
        cohort.generation = model.release().generation;
        tracing::info!(
            cohort = cohort.name,
            model = model.release().short_name(),
            profile = model.release().profile,
            "model loaded: scoring"
        );
        cohort.model = Some(Arc::new(model));
        self.metrics.releases_loaded += 1;
        Ok(())
    }

    /// A snapshot as it was delivered: what it makes of the host goes to the bus. One that cannot be taken goes to the dead letters.
    pub fn snapshot(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Vec<Record>, CodecError> {
        let taken = schemas::decode::<GraphSnapshot>(&delivery.value)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| self.take(snapshot, delivery, now).map_err(|error| format!("{error:#}")));
        match taken {
            Ok(outcome) => outcome.into_records(Some(delivery.partition)),
            Err(why) => {
                self.metrics.refused += 1;
                tracing::warn!(key = delivery.key, why, "snapshot refused: it goes to the dead letters");
                Ok(vec![delivery.dead_letter(&why)])
            }
        }
    }

    fn take(
        &mut self,
        snapshot: GraphSnapshot,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Outcome, score::ScoreError> {
        let host = self.host(&snapshot.host, &snapshot.cohort);
        (host.heard_at, host.partition) = (now, Some(delivery.partition));
        if !host.is_new(&snapshot) {
            self.metrics.repeated += 1;
            return Ok(Outcome::default());
        }
        host.coverage.clone_from(&snapshot.coverage);
        let model = self.cohort(&snapshot.cohort).model.clone();
        let (host_id, cohort) = (snapshot.host.clone(), snapshot.cohort.clone());
        let Some(model) = model else {
            let graph = HostGraph::new(snapshot)?;
            let healthy = self.cohort(&cohort).vouch(graph.snapshot(), &delivery.value, None);
            self.metrics.learned += u64::from(healthy.is_some());
            return Ok(Outcome { healthy, changes: Vec::new() });
        };
        let judged = score::judge(&model, snapshot)?;
        self.metrics.scored += 1;
        let host = self.host(&host_id, &cohort);
        let (changes, has_alarm) = host.take(judged);
        let is_quiet = !has_alarm && !host.tracker.has_open();
        // The sweep now belongs to the host: take both out, so that cohort and host can be looked at together.
        let healthy =
            match (self.hosts.get(&host_id).and_then(|host| host.newest.as_ref()), self.cohorts.get_mut(&cohort)) {
                (Some(judged), Some(cohort)) => cohort.vouch(judged.graph.snapshot(), &delivery.value, Some(is_quiet)),
                _ => None,
            };
        self.metrics.alarms += u64::from(has_alarm);
        self.note(&changes);
        Ok(Outcome { healthy, changes })
    }

    /// Hosts that were not heard of for too long: their incidents become stale.
    pub fn tick(&mut self, now: Timestamp) -> Result<Vec<Record>, CodecError> {
        let patience = i64::try_from(self.config.alarm.stale_after.as_millis()).unwrap_or(i64::MAX);
        let silent = self.hosts.values_mut().filter(|host| now.millis_since(host.heard_at) > patience);
        let told: Vec<_> = silent.map(|host| (host.partition, host.tracker.fall_silent(now))).collect();
        let mut records = Vec::new();
        for (partition, changes) in told {
            self.note(&changes);
            records.extend(Outcome { healthy: None, changes }.into_records(partition)?);
        }
        Ok(records)
    }

    /// The operator vouches for a host's cohort, or for all, until then.
    pub fn baseline(&mut self, host: Option<&str>, until: Timestamp, now: Timestamp) {
        let interval =
            |host: &Host| host.newest.as_ref().map_or(1000, |judged| judged.graph.snapshot().interval_ms).max(1);
        let chosen: Vec<(String, i64)> = self
            .hosts
            .iter()
            .filter(|(id, _)| host.is_none_or(|host| host == *id))
            .map(|(_, host)| (host.cohort.clone(), until.millis_since(now) / interval(host)))
            .collect();
        for (cohort, snapshots) in chosen {
            self.cohort(&cohort).begin_baseline(until, snapshots);
        }
    }

    fn note(&mut self, changes: &[Change]) {
        for change in changes {
            self.metrics.event(change.event.event);
            self.incidents.insert(change.incident.incident.clone(), change.incident.clone());
        }
        while self.incidents.len() > RESOLVED_KEPT {
            let over = self.incidents.values().filter(|incident| incident.state == schemas::IncidentState::Resolved);
            let Some(oldest) =
                over.min_by_key(|incident| incident.updated_at).map(|incident| incident.incident.clone())
            else {
                return;
            };
            self.incidents.remove(&oldest);
        }
    }

    fn cohort(&mut self, name: &str) -> &mut Cohort {
        let generation = self.relearn_at.unwrap_or(0);
        let learn = &self.config.learn;
        self.cohorts.entry(name.to_owned()).or_insert_with(|| Cohort::new(name, generation, learn.clone()))
    }

    fn host(&mut self, id: &str, cohort: &str) -> &mut Host {
        let (config, incidents) = (&self.config, &self.incidents);
        self.hosts.entry(id.to_owned()).or_insert_with(|| {
            let known = incidents.values().filter(|incident| incident.host == id).cloned();
            Host::new(Tracker::new(config.alarm.clone(), known), cohort)
        })
    }
}

/// What a snapshot led to.
#[derive(Default)]
struct Outcome {
    healthy: Option<HealthySnapshot>,
    changes: Vec<Change>,
}

impl Outcome {
    fn into_records(self, partition: Option<i32>) -> Result<Vec<Record>, CodecError> {
        let mut records = Vec::new();
        if let Some(healthy) = self.healthy {
            records.push(record(Topic::Healthy, healthy.host.clone(), partition, healthy.time, &healthy)?);
        }
        for change in &self.changes {
            records.extend(announcement(change, partition)?);
        }
        Ok(records)
    }
}

/// What consumers are told of a change: its event, and the incident as it is now. Both go to the partition of the
/// snapshot, so that a host's keep their order.
///
/// # Errors
/// If one of them cannot be encoded.
pub fn announcement(change: &Change, partition: Option<i32>) -> Result<[Record; 2], CodecError> {
    let Change { event, incident } = change;
    let alert = record(Topic::Alerts, event.incident.clone(), partition, event.time, event)?;
    let id = format!("{}/{}/{}", event.incident, event.event, event.time.0);
    let event_type = format!("detective.incident.{}.v1", event.event);
    let alert = alert.cloud_event(CloudEvent {
        id,
        event_type: &event_type,
        source: format!("detective/scorer/{}", event.host),
        subject: &event.host,
        time: event.time,
    });
    let state = record(Topic::Incidents, incident.incident.clone(), partition, incident.updated_at, incident)?;
    Ok([alert, state])
}

fn record<R: Contract>(
    topic: Topic,
    key: String,
    partition: Option<i32>,
    time: Timestamp,
    value: &R,
) -> Result<Record, CodecError> {
    let record = Record::new(topic, key, schemas::encode(value)?, time);
    Ok(match partition {
        Some(partition) => record.to_partition(partition),
        None => record,
    })
}
