//! Incidents: suspects, events, and the latest state.

use serde::{Deserialize, Serialize};

use crate::{NodeKind, Timestamp, codec::string_enum};

/// A change of an incident. Keyed by incident id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootCauseEvent {
    /// What changed.
    pub event: EventKind,
    /// Id of the incident.
    pub incident: String,
    /// Host id.
    pub host: String,
    /// End of the sweep that caused the event.
    pub time: Timestamp,
    /// Probability that `initiating` is the root cause, 0 to 1.
    pub confidence: f64,
    /// Id of the previous incident with the same fingerprint.
    pub previous: Option<String>,
    /// The root cause; `None` if inconclusive.
    pub initiating: Option<Suspect>,
    /// The first node that failed because of the root cause.
    pub first_failure: Option<Suspect>,
    /// Affected nodes.
    pub impact: Vec<Suspect>,
    /// One sentence for people.
    pub summary: String,
}

/// The latest state of an incident. Keyed by incident id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Id of the incident.
    pub incident: String,
    /// Host id.
    pub host: String,
    /// Cohort of the host.
    pub cohort: String,
    /// State of the incident.
    pub state: IncidentState,
    /// Equal for incidents with the same root-cause role and symptom.
    pub fingerprint: String,
    /// End of the sweep that opened it.
    pub opened_at: Timestamp,
    /// End of the sweep that last changed it.
    pub updated_at: Timestamp,
    /// Number of sweeps without an alarm since the last one with an alarm.
    pub quiet_sweeps: i32,
    /// Id of the previous incident with the same fingerprint.
    pub previous: Option<String>,
    /// Probability that `initiating` is the root cause, 0 to 1.
    pub confidence: f64,
    /// The root cause; `None` if inconclusive.
    pub initiating: Option<Suspect>,
    /// The first node that failed because of the root cause.
    pub first_failure: Option<Suspect>,
    /// Affected nodes.
    pub impact: Vec<Suspect>,
    /// One sentence for people.
    pub summary: String,
}

/// A suspected node with the reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Position in the ranking, from 1.
    pub rank: i32,
    /// Kind of the node.
    pub kind: NodeKind,
    /// Name; for a process its comm.
    pub name: String,
    /// Role: the part of the identity that survives restarts and carries the baseline.
    pub role: String,
    /// Process id.
    pub pid: Option<i64>,
    /// Start time in clock ticks after boot, as in `/proc/PID/stat`.
    pub start_time: Option<i64>,
    /// Absolute path; for a process only a file that it holds locked or fills.
    pub path: Option<String>,
    /// `ip:port`.
    pub endpoint: Option<String>,
    /// Anomaly score in units of the alarm threshold.
    pub score: f64,
    /// The node's part in the incident.
    pub stage: Stage,
    /// Reasons, strongest first.
    pub why: Vec<Reason>,
}

impl Suspect {
    /// Creates a suspect without score and reasons.
    pub fn unscored(kind: NodeKind, name: &str, role: &str) -> Suspect {
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

/// A reason to suspect a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A sentence for people.
    pub text: String,
    /// Normal value for the role.
    pub expected: Option<f64>,
    /// Observed value.
    pub observed: Option<f64>,
    /// Unit of both values; empty without values.
    pub unit: String,
    /// Where the value was read, with raw lines.
    pub source: String,
}

/// How an incident changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventKind {
    /// It began.
    Opened,
    /// Its root cause or impact changed.
    Updated,
    /// It has been quiet for long enough.
    Resolved,
    /// Its host sends no more snapshots.
    Stale,
}

string_enum!(EventKind { Opened = "opened", Updated = "updated", Resolved = "resolved", Stale = "stale" });

/// State of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum IncidentState {
    /// Ongoing.
    Open,
    /// Its host sends no more snapshots.
    Stale,
    /// Over.
    Resolved,
}

string_enum!(IncidentState { Open = "open", Stale = "stale", Resolved = "resolved" });

/// A node's part in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Stage {
    /// Root cause.
    Initiating,
    /// First node that failed because of the root cause.
    FirstFailure,
    /// Affected node.
    Impact,
}

string_enum!(Stage { Initiating = "initiating", FirstFailure = "first_failure", Impact = "impact" });
