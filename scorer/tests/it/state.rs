//! State of the scorer that is removed: hosts and incidents that are too old or too many.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Cursor, Delivery, Page, Positions, Record, Subscription};
use schemas::{Incident, IncidentState, Timestamp, Topic, encode};
use scorer::{AlarmConfig, ApiConfig, ScorerConfig, engine::Engine};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{delivery_of, snapshot},
    serve::{free_address, get, open},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn incident(id: usize, state: IncidentState, updated_at: Timestamp) -> Incident {
    Incident {
        incident: format!("{id:016}"),
        host: "h".into(),
        cohort: "c".into(),
        state,
        fingerprint: format!("process|{id}|cpu_pct"),
        opened_at: updated_at,
        updated_at,
        quiet_sweeps: 0,
        previous: None,
        confidence: 0.5,
        initiating: None,
        first_failure: None,
        impact: Vec::new(),
        summary: String::new(),
    }
}

fn engine(incidents: impl IntoIterator<Item = Incident>) -> Engine {
    Engine::new(ScorerConfig::default(), incidents, NOW)
}

fn tombstones(records: &[Record]) -> Vec<&str> {
    assert!(records.iter().all(|record| record.topic == Topic::Incidents && record.value.is_empty()));
    records.iter().map(|record| record.key.trim_start_matches('0')).collect()
}

#[test]
fn a_resolved_incident_is_deleted_after_a_week() {
    let week_ago = NOW.saturating_sub(7 * DAY);
    let mut engine = engine([
        incident(1, IncidentState::Resolved, Timestamp(week_ago.0 - 1)),
        incident(2, IncidentState::Resolved, week_ago),
        incident(3, IncidentState::Open, Timestamp(0)),
        incident(4, IncidentState::Stale, Timestamp(0)),
    ]);
    assert_eq!(tombstones(&engine.handle_tick(NOW, Duration::ZERO)), ["1"]);
    assert_eq!(engine.handle_tick(NOW, Duration::ZERO), []);
    assert_eq!(engine.incidents.values().count(), 3);
}

#[test]
fn a_stale_incident_is_deleted_if_its_host_is_gone_and_this_scorer_has_its_partition() {
    let mut engine = engine([]);
    let value = encode(&incident(1, IncidentState::Stale, Timestamp(0))).unwrap();
    let stored = Delivery { topic: Topic::Incidents, key: format!("{:016}", 1), ..delivery_of("h", value) };
    let mut incidents = scorer::engine::IncidentStore::default();
    incidents.read(&stored);
    engine.reset_hosts(incidents);
    assert_eq!(engine.handle_tick(NOW, Duration::ZERO), [], "another scorer may have the host");
    engine.handle_snapshot(&delivery_of("h", encode(&snapshot(0)).unwrap()), Timestamp(0));
    assert_eq!(engine.handle_tick(NOW, Duration::ZERO), [], "the host has returned");
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let records = engine.handle_tick(NOW, hours(2));
    assert_eq!(tombstones(&records), ["1"]);
    assert_eq!(records[0].partition, Some(0));
}

#[test]
fn only_the_newest_resolved_incidents_are_kept() {
    let at = |n: usize| Timestamp(NOW.0 - 10_000 + n as i64);
    let mut engine = engine((0..5000).map(|n| incident(n, IncidentState::Resolved, at(n))));
    let mut deleted = BTreeSet::new();
    loop {
        let records = engine.handle_tick(NOW, Duration::ZERO);
        assert!(records.len() <= 500, "{}", records.len());
        if records.is_empty() {
            break;
        }
        deleted.extend(records.into_iter().map(|record| record.key));
    }
    assert_eq!(deleted.len(), 3000);
    assert!(engine.incidents.values().all(|incident| incident.updated_at >= at(3000)));
    assert_eq!(engine.incidents.values().count(), 2000);
}

#[test]
fn a_silent_host_is_forgotten_and_starts_again_when_it_returns() {
    let mut engine = engine([]);
    let snapshot = |sequence| delivery_of("h", encode(&snapshot(sequence)).unwrap());
    engine.handle_snapshot(&snapshot(0), Timestamp(0));
    let hour = Duration::from_secs(3600);
    engine.handle_tick(NOW, hour);
    // The clock of the machine is set: only the time since the start counts.
    engine.handle_tick(Timestamp(0), 2 * hour);
    engine.handle_tick(Timestamp(i64::MAX), 2 * hour);
    assert_eq!(engine.hosts.len(), 1);
    engine.handle_tick(NOW, 2 * hour + Duration::from_secs(1));
    assert_eq!((engine.hosts.len(), engine.metrics.hosts_forgotten), (0, 1));
    assert_eq!(engine.handle_snapshot(&snapshot(1), Timestamp(0)).len(), 1);
    assert_eq!(engine.hosts.len(), 1);
}

#[test]
fn hosts_over_the_limit_are_rejected_and_the_others_are_kept() {
    let alarm = AlarmConfig { max_hosts: 2, ..AlarmConfig::default() };
    let mut engine = Engine::new(ScorerConfig { alarm, ..ScorerConfig::default() }, [], NOW);
    let mut topics = |host: &str, sequence| {
        let snapshot = schemas::GraphSnapshot { host: host.into(), ..snapshot(sequence) };
        let records = engine.handle_snapshot(&delivery_of(host, encode(&snapshot).unwrap()), Timestamp(0));
        records.iter().map(|record| record.topic).collect::<Vec<_>>()
    };
    assert_eq!(topics("a", 0), [Topic::Healthy]);
    assert_eq!(topics("b", 0), [Topic::Healthy]);
    assert_eq!(topics("c", 0), [Topic::DeadLetter]);
    assert_eq!(topics("a", 1), [Topic::Healthy]);
}

/// A bus whose reads of one topic wait until they are allowed.
struct GatedBus {
    bus: Arc<dyn Bus>,
    gated: Topic,
    gate: Notify,
}

#[async_trait]
impl Bus for GatedBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        self.bus.publish(records, positions).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.bus.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        if from.topic() == self.gated {
            self.gate.notified().await;
            self.gate.notify_one();
        }
        self.bus.read(from, max, wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.bus.end(topic).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_alive_while_incidents_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Topic::Incidents;
    let bus = Arc::new(GatedBus { bus: open(&folder).await, gated, gate: Notify::new() });
    let address = free_address();
    let config = ScorerConfig { api: ApiConfig { listen: address, ..ApiConfig::default() }, ..ScorerConfig::default() };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(scorer::run(config, Arc::clone(&bus) as Arc<dyn Bus>, shutdown.clone()));
    while std::net::TcpStream::connect(address).is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(address, "/livez").await, (200, "alive\n".to_owned()));
    let waiting = (503, r#"{"ready":false,"state":"waiting","learned":0,"wanted":0}"#.to_owned());
    assert_eq!(get(address, "/readyz").await, waiting);
    assert_eq!(get(address, "/api/incidents").await.0, 503, "the incidents are not known yet");
    bus.gate.notify_one();
    while get(address, "/api/incidents").await.0 != 200 {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scorer_deletes_old_incidents_from_their_topic() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(&folder).await;
    let old = |n| incident(n, IncidentState::Resolved, Timestamp(1000));
    let recent = incident(10_000, IncidentState::Resolved, Timestamp::now());
    let to_record = |incident: Incident| {
        let value = encode(&incident).unwrap();
        Record::new(Topic::Incidents, incident.incident, value, incident.updated_at).with_partition(0)
    };
    bus.publish((0..700).map(old).chain([recent]).map(to_record).collect(), None).await.unwrap();
    let config =
        ScorerConfig { api: ApiConfig { listen: free_address(), ..ApiConfig::default() }, ..ScorerConfig::default() };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(scorer::run(config, Arc::clone(&bus), shutdown.clone()));
    let remaining = async {
        loop {
            let mut remaining = BTreeSet::new();
            let visit = |delivery: Delivery| {
                if delivery.is_tombstone() {
                    remaining.remove(&delivery.key)
                } else {
                    remaining.insert(delivery.key)
                };
            };
            bus::for_each(bus.as_ref(), Topic::Incidents, visit).await.unwrap();
            if remaining.len() < 2 {
                return remaining;
            }
            tokio::task::yield_now().await;
        }
    };
    let remaining = tokio::time::timeout(Duration::from_secs(60), remaining).await.unwrap();
    assert_eq!(remaining.into_iter().collect::<Vec<_>>(), [format!("{:016}", 10_000)]);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
