//! What may be asked of a running scorer, and its answers.

use std::time::Duration;

use schemas::{Incident, IncidentState, Suspect, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::engine::Engine;

/// A question on its way to the scorer's loop, with where the answer goes.
#[expect(missing_docs, reason = "a host is an id, a window or span a time, a reply where the answer goes")]
pub enum Query {
    /// The ranking of the last while.
    Suspects { host: Option<String>, window: Duration, reply: oneshot::Sender<Option<SuspectsAnswer>> },
    /// The incidents that are known.
    Incidents { host: Option<String>, reply: oneshot::Sender<Vec<Incident>> },
    /// The newest sweep with its scores.
    Graph { host: Option<String>, reply: oneshot::Sender<Option<Value>> },
    /// Whether it is scoring, or how far it is.
    Ready { reply: oneshot::Sender<ReadyAnswer> },
    /// The counters.
    Metrics { reply: oneshot::Sender<String> },
    /// The operator vouches for the next while.
    Baseline { host: Option<String>, span: Duration, reply: oneshot::Sender<Timestamp> },
}

/// The ranking of one host.
#[derive(Debug, Serialize)]
pub struct SuspectsAnswer {
    /// Which host.
    pub host: String,
    /// Whether threshold and persistence were met in a sweep of the window.
    pub alarm: bool,
    /// The most suspect first.
    pub suspects: Vec<Suspect>,
}

/// How far a scorer is.
#[derive(Debug, Serialize)]
pub struct ReadyAnswer {
    /// Whether a model is loaded and scoring.
    pub ready: bool,
    /// `scoring`, `training`, `learning` or `waiting` for a first snapshot.
    pub state: &'static str,
    /// Snapshots learned from.
    pub learned: i64,
    /// Snapshots wanted.
    pub wanted: i64,
}

impl Query {
    /// Answers from the engine's state. A reader that has gone away misses its answer.
    pub fn answer(self, engine: &mut Engine, now: Timestamp) {
        match self {
            Query::Suspects { host, window, reply } => drop(reply.send(suspects(engine, host, window))),
            Query::Incidents { host, reply } => drop(reply.send(incidents(engine, host))),
            Query::Graph { host, reply } => drop(reply.send(graph(engine, host))),
            Query::Ready { reply } => drop(reply.send(ready(engine))),
            Query::Metrics { reply } => {
                let open =
                    engine.incidents.values().filter(|incident| incident.state != IncidentState::Resolved).count();
                let coverage = engine.hosts.iter().map(|(id, host)| (id.as_str(), host.coverage.as_slice()));
                let _ = reply.send(engine.metrics.render(open, coverage));
            }
            Query::Baseline { host, span, reply } => {
                let until = Timestamp(now.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)));
                engine.baseline(host.as_deref(), until, now);
                let _ = reply.send(until);
            }
        }
    }
}

/// The host that was asked for; without one the only host, or the first by name.
fn host_id(engine: &Engine, asked: Option<String>) -> Option<String> {
    asked.filter(|asked| engine.hosts.contains_key(asked)).or_else(|| engine.hosts.keys().next().cloned())
}

fn suspects(engine: &Engine, asked: Option<String>, window: Duration) -> Option<SuspectsAnswer> {
    if asked.as_ref().is_some_and(|asked| !engine.hosts.contains_key(asked)) {
        return None;
    }
    let host = host_id(engine, asked)?;
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let (alarm, suspects) = engine.hosts.get(&host)?.suspects(window_ms);
    Some(SuspectsAnswer { host, alarm, suspects })
}

fn incidents(engine: &Engine, host: Option<String>) -> Vec<Incident> {
    let of_host = |incident: &&Incident| host.as_ref().is_none_or(|host| *host == incident.host);
    let mut incidents: Vec<Incident> = engine.incidents.values().filter(of_host).cloned().collect();
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.opened_at));
    incidents
}

fn graph(engine: &Engine, asked: Option<String>) -> Option<Value> {
    if asked.as_ref().is_some_and(|asked| !engine.hosts.contains_key(asked)) {
        return None;
    }
    let host = host_id(engine, asked)?;
    let judged = engine.hosts.get(&host)?.newest.as_ref()?;
    let nodes: Vec<Value> = judged
        .graph
        .nodes()
        .iter()
        .zip(&judged.scores)
        .map(|(node, score)| json!({"id": node.id, "kind": node.kind, "name": node.name, "role": node.role, "pid": node.pid, "path": node.path, "endpoint": node.endpoint, "score": score.score}))
        .collect();
    let snapshot = judged.graph.snapshot();
    Some(
        json!({"host": host, "time": snapshot.ended_at, "sequence": snapshot.sequence, "nodes": nodes, "edges": snapshot.edges, "coverage": snapshot.coverage}),
    )
}

fn ready(engine: &Engine) -> ReadyAnswer {
    let cohorts = || engine.cohorts.values();
    let scoring = !engine.hosts.is_empty()
        && cohorts().any(|cohort| cohort.model.is_some())
        && engine.hosts.values().any(|host| host.newest.is_some());
    let furthest = cohorts().max_by_key(|cohort| cohort.learned);
    let (learned, wanted) = furthest.map_or((0, 0), |cohort| (cohort.learned, cohort.wanted()));
    let state = match (scoring, learned) {
        (true, _) => "scoring",
        (false, 0) => "waiting",
        (false, learned) if learned < wanted => "learning",
        (false, _) => "training",
    };
    ReadyAnswer { ready: scoring, state, learned, wanted }
}
