//! Suspects, the events of an incident, and its latest state.

use serde::{Deserialize, Serialize};

use crate::{NodeKind, Timestamp, codec::string_enum};

/// Something happened to an incident. Keyed by incident id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootCauseEvent {
    /// What happened.
    pub event: EventKind,
    /// The incident's id.
    pub incident: String,
    /// Where.
    pub host: String,
    /// The end of the sweep that told.
    pub time: Timestamp,
    /// 0 to 1.
    pub confidence: f64,
    /// The earlier incident of the same trouble.
    pub previous: Option<String>,
    /// Who started it; none when it is inconclusive.
    pub initiating: Option<Suspect>,
    /// Who failed first because of it.
    pub first_failure: Option<Suspect>,
    /// Who suffers.
    pub impact: Vec<Suspect>,
    /// One sentence for people.
    pub summary: String,
}

/// The latest state of an incident. Keyed by incident id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The incident's id.
    pub incident: String,
    /// Where.
    pub host: String,
    /// The host's cohort.
    pub cohort: String,
    /// Whether it goes on.
    pub state: IncidentState,
    /// The same for the same trouble.
    pub fingerprint: String,
    /// The end of the sweep that opened it.
    pub opened_at: Timestamp,
    /// The end of the sweep that told the latest.
    pub updated_at: Timestamp,
    /// Sweeps without alarm since the last one with it.
    pub quiet_sweeps: i32,
    /// The earlier incident of the same trouble.
    pub previous: Option<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// Who started it; none when it is inconclusive.
    pub initiating: Option<Suspect>,
    /// Who failed first because of it.
    pub first_failure: Option<Suspect>,
    /// Who suffers.
    pub impact: Vec<Suspect>,
    /// One sentence for people.
    pub summary: String,
}

/// A node that is suspected, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// From 1.
    pub rank: i32,
    /// The node's kind.
    pub kind: NodeKind,
    /// Of a process its comm.
    pub name: String,
    /// What carries its baseline over restarts.
    pub role: String,
    /// Process id.
    pub pid: Option<i64>,
    /// Clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: Option<i64>,
    /// Absolute; of a process only a file that it holds locked or fills.
    pub path: Option<String>,
    /// `ip:port`.
    pub endpoint: Option<String>,
    /// How far beyond normal, the release's threshold being 1.
    pub score: f64,
    /// Its part in the incident.
    pub stage: Stage,
    /// The evidence, the strongest first.
    pub why: Vec<Reason>,
}

impl Suspect {
    /// A node that nobody has judged: by its kind, name and role alone.
    pub fn unjudged(kind: NodeKind, name: &str, role: &str) -> Suspect {
        Suspect {
            rank: 1,
            kind,
            name: name.to_owned(),
            role: role.to_owned(),
            pid: None,
            start_time: None,
            path: None,
            endpoint: None,
            score: 0.0,
            stage: Stage::Initiating,
            why: Vec::new(),
        }
    }
}

/// One piece of evidence against a suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A sentence for people.
    pub text: String,
    /// The value that is normal for its role.
    pub expected: Option<f64>,
    /// The value that was seen.
    pub observed: Option<f64>,
    /// Of both values; empty where there are none.
    pub unit: String,
    /// Where it was read; raw lines included.
    pub source: String,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventKind {
    /// It began.
    Opened,
    /// Its suspect or its impact changed.
    Updated,
    /// It has been quiet for long enough.
    Resolved,
    /// Its host has fallen silent.
    Stale,
}

string_enum!(EventKind { Opened = "opened", Updated = "updated", Resolved = "resolved", Stale = "stale" });

/// Whether an incident goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum IncidentState {
    /// It goes on.
    Open,
    /// Its host has fallen silent.
    Stale,
    /// It is over.
    Resolved,
}

string_enum!(IncidentState { Open = "open", Stale = "stale", Resolved = "resolved" });

/// A suspect's part in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Stage {
    /// It started the trouble.
    Initiating,
    /// It was the first to fail because of it.
    FirstFailure,
    /// It suffers.
    Impact,
}

string_enum!(Stage { Initiating = "initiating", FirstFailure = "first_failure", Impact = "impact" });
