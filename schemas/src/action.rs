//! What operators change.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, codec::string_enum};

/// What an operator changed through the HTTP API. Keyed by host id; empty for all hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorAction {
    /// What was done.
    pub action: ActionKind,
    /// Host id; `None`: all hosts.
    pub host: Option<String>,
    /// When it was requested.
    pub time: Timestamp,
    /// When a baseline ends.
    pub until: Option<Timestamp>,
    /// Whether a baseline includes snapshots while something fails or waits because of an incident.
    pub include_incidents: bool,
    /// Name of the operator, as the client sent it.
    pub by: String,
    /// Address of the client, `ip:port`.
    pub client: String,
}

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ActionKind {
    /// Declared hosts healthy for a while.
    Baseline,
}

string_enum!(ActionKind { Baseline = "baseline" });
