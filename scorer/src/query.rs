//! Queries to the running scorer, and their responses.

use std::time::Duration;

use bus::Record;
use schemas::{ActionKind, Incident, IncidentState, OperatorAction, Suspect, Timestamp, Topic};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{engine::Engine, metrics::Metrics};

/// Largest number of resolved incidents in a response.
const MAX_RESOLVED: usize = 200;

/// A query to the scorer's loop, with the channel for the response.
///
/// `host` is a host id; without one, a query for one host selects the first host by id.
#[expect(missing_docs, reason = "the variants document their fields")]
pub enum Query {
    /// The ranking of suspects over the last `window`.
    Suspects { host: Option<String>, window: Duration, reply: oneshot::Sender<Option<SuspectsResponse>> },
    /// The incidents that are not resolved and the newest resolved ones, of one host or of all.
    Incidents { host: Option<String>, reply: oneshot::Sender<Vec<Incident>> },
    /// The newest graph with its scores.
    Graph { host: Option<String>, reply: oneshot::Sender<Option<Value>> },
    /// Whether the scorer is scoring, and the progress until then.
    Ready { reply: oneshot::Sender<Readiness> },
    /// The text of `/metrics`.
    Metrics { reply: oneshot::Sender<String> },
    /// Starts an operator baseline. The response is `None` if the host is unknown.
    Baseline { request: BaselineRequest, reply: oneshot::Sender<Option<StartedBaseline>> },
}

/// A request for an operator baseline.
#[derive(Clone, Debug)]
pub struct BaselineRequest {
    /// Id of the host that is healthy; `None`: all hosts.
    pub host: Option<String>,
    /// How long from now.
    pub duration: Duration,
    /// Whether snapshots during an incident with affected nodes are learned too.
    pub include_incidents: bool,
    /// Name of the operator, as the client sends it.
    pub by: String,
    /// Address of the client.
    pub client: String,
}

/// An operator baseline that was started.
#[derive(Debug, Serialize)]
pub struct StartedBaseline {
    /// When it ends.
    pub until: Timestamp,
    /// Number of open incidents during which nothing is learned.
    pub excluded_incidents: usize,
}

/// The ranked suspects of one host.
#[derive(Debug, Serialize)]
pub struct SuspectsResponse {
    /// Host id.
    pub host: String,
    /// Whether threshold and persistence were met in a sweep of the window.
    pub alarm: bool,
    /// Suspects, the highest score first.
    pub suspects: Vec<Suspect>,
}

/// State and learning progress of a scorer.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// Whether a model is loaded and no stage is late.
    pub ready: bool,
    /// `waiting` (for the first snapshot), `learning`, `training` or `scoring`.
    pub state: &'static str,
    /// Snapshots learned so far, of the cohort that has most.
    pub learned: i64,
    /// Snapshots that this cohort learns from before its first model.
    pub wanted: i64,
    /// While `scoring`: the first stage without progress in the time of `api.ready_sweeps`, one of
    /// `receive`, `score` and `publish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<&'static str>,
}

impl Readiness {
    /// The state before the first snapshot.
    pub fn waiting() -> Readiness {
        Readiness { ready: false, state: "waiting", late: None, learned: 0, wanted: 0 }
    }
}

impl Query {
    /// Responds while the scorer starts: it is alive but not ready. Other queries get no response.
    pub fn run_before_start(self) {
        match self {
            Query::Ready { reply } => {
                drop(reply.send(Readiness::waiting()));
            }
            Query::Metrics { reply } => drop(reply.send(Metrics::default().render(0, std::iter::empty()))),
            _ => {}
        }
    }

    /// Runs the query, sends the response, and returns records to publish. A client that has
    /// disconnected is ignored.
    pub fn run(self, engine: &mut Engine, now: Timestamp) -> Option<Record> {
        match self {
            Query::Suspects { host, window, reply } => drop(reply.send(suspects(engine, host, window))),
            Query::Incidents { host, reply } => drop(reply.send(incidents(engine, host))),
            Query::Graph { host, reply } => drop(reply.send(graph(engine, host))),
            Query::Ready { reply } => drop(reply.send(readiness(engine, now))),
            Query::Metrics { reply } => {
                let open =
                    engine.incidents.values().filter(|incident| incident.state != IncidentState::Resolved).count();
                engine.metrics.conflicting_hosts =
                    engine.hosts.values().filter(|host| host.runs.is_conflicting()).count();
                let coverage = engine.hosts.iter().map(|(id, host)| (id.as_str(), host.coverage.as_slice()));
                let mut text = engine.metrics.render(open, coverage);
                engine.freshness.render(&mut text);
                let _ = reply.send(text);
            }
            Query::Baseline { request, reply } => {
                if request.host.as_ref().is_some_and(|host| !engine.hosts.contains_key(host)) {
                    let _ = reply.send(None);
                    return None;
                }
                let (started, record) = start_baseline(engine, request, now);
                let _ = reply.send(Some(started));
                return record;
            }
        }
        None
    }
}

/// Starts a baseline, logs it, and returns the record of it.
fn start_baseline(engine: &mut Engine, request: BaselineRequest, now: Timestamp) -> (StartedBaseline, Option<Record>) {
    let BaselineRequest { host, duration, include_incidents, by, client } = request;
    let until = Timestamp(now.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)));
    let excluded_incidents = engine.start_baseline(host.as_deref(), until, include_incidents, now);
    let action = OperatorAction {
        action: ActionKind::Baseline,
        host,
        time: now,
        until: Some(until),
        include_incidents,
        by,
        client,
    };
    tracing::info!(?action, "baseline started by an operator");
    let key = action.host.clone().unwrap_or_default();
    let record = schemas::encode(&action).map(|value| Record::new(Topic::Actions, key, value, now));
    let record = record.inspect_err(|error| tracing::error!(%error, "operator action not published")).ok();
    (StartedBaseline { until, excluded_incidents }, record)
}

/// The requested host, or the first by id if none is requested; `None` if it is unknown.
fn select_host(engine: &Engine, requested: Option<String>) -> Option<String> {
    match requested {
        Some(host) => engine.hosts.contains_key(&host).then_some(host),
        None => engine.hosts.keys().next().cloned(),
    }
}

fn suspects(engine: &Engine, host: Option<String>, window: Duration) -> Option<SuspectsResponse> {
    let host = select_host(engine, host)?;
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let (alarm, suspects) = engine.hosts.get(&host)?.suspects(window_ms);
    Some(SuspectsResponse { host, alarm, suspects })
}

fn incidents(engine: &Engine, host: Option<String>) -> Vec<Incident> {
    let is_selected = |incident: &&Incident| host.as_ref().is_none_or(|host| *host == incident.host);
    let mut incidents: Vec<Incident> = engine.incidents.values().filter(is_selected).cloned().collect();
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.opened_at));
    let mut n_resolved = 0;
    incidents.retain(|incident| {
        n_resolved += usize::from(incident.state == IncidentState::Resolved);
        incident.state != IncidentState::Resolved || n_resolved <= MAX_RESOLVED
    });
    incidents
}

fn graph(engine: &Engine, host: Option<String>) -> Option<Value> {
    let host = select_host(engine, host)?;
    let newest = engine.hosts.get(&host)?.newest.as_ref()?;
    let nodes: Vec<Value> = newest
        .graph
        .nodes()
        .iter()
        .zip(&newest.scores)
        .map(|(node, score)| {
            json!({
                "id": node.id,
                "kind": node.kind,
                "name": node.name,
                "role": node.role,
                "pid": node.pid,
                "path": node.path,
                "endpoint": node.endpoint,
                "score": score.score,
            })
        })
        .collect();
    let snapshot = newest.graph.snapshot();
    Some(json!({
        "host": host,
        "time": snapshot.ended_at,
        "sequence": snapshot.sequence,
        "nodes": nodes,
        "edges": snapshot.edges,
        "coverage": snapshot.coverage,
    }))
}

fn readiness(engine: &Engine, now: Timestamp) -> Readiness {
    let cohorts = || engine.cohorts.values();
    let is_scoring = !engine.hosts.is_empty()
        && cohorts().any(|cohort| cohort.model.is_some())
        && engine.hosts.values().any(|host| host.newest.is_some());
    let furthest = cohorts().max_by_key(|cohort| cohort.learned);
    let (learned, wanted) = furthest.map_or((0, 0), |cohort| (cohort.learned, cohort.wanted()));
    let state = match (is_scoring, learned) {
        (true, _) => "scoring",
        (false, 0) => "waiting",
        (false, learned) if learned < wanted => "learning",
        (false, _) => "training",
    };
    let late = if is_scoring { engine.late_stage(now) } else { None };
    Readiness { ready: is_scoring && late.is_none(), state, learned, wanted, late }
}
