//! Healthy snapshots, which models are trained on.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// An encoded snapshot that counts as healthy, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthySnapshot {
    /// Host id; the record's key.
    pub host: String,
    /// Cohort: the hosts that share a model.
    pub cohort: String,
    /// Incremented by every relearn; records of older generations are ignored.
    pub generation: i64,
    /// Why the snapshot counts as healthy.
    pub vouched_by: HealthSource,
    /// While the cohort learns: how many of `wanted` snapshots it has, this one included; else 0.
    pub learned: i64,
    /// How many snapshots the cohort learns from before its first model; else 0.
    pub wanted: i64,
    /// End of the snapshot's sweep.
    pub time: Timestamp,
    /// The `GraphSnapshot` in single-object encoding.
    #[serde(with = "apache_avro::serde::bytes")]
    pub snapshot: Vec<u8>,
}

/// Why a snapshot counts as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HealthSource {
    /// It is one of the cohort's first snapshots.
    Learning,
    /// An operator declared the host healthy.
    Operator,
    /// It was scored and admitted by the gate: quiet, without an open incident or pressure.
    Gate,
}

crate::codec::string_enum!(HealthSource {
    Learning = "learning",
    Operator = "operator",
    Gate = "gate",
});
