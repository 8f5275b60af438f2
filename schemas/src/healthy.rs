//! A snapshot that may be learned from, and what vouches for it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A snapshot as it travelled, with what vouches for its health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthySnapshot {
    /// Host id; the record's key.
    pub host: String,
    /// The group of like hosts that share a model.
    pub cohort: String,
    /// Grows with every relearn; records of older generations are ignored.
    pub generation: i64,
    /// What vouches for it.
    pub vouched_by: VouchedBy,
    /// How many of `wanted` the cohort has, this one included, while it learns; else 0.
    pub learned: i64,
    /// How many snapshots the cohort learns from before its first model; else 0.
    pub wanted: i64,
    /// When the snapshot's sweep was complete.
    pub time: Timestamp,
    /// The `GraphSnapshot` in single-object encoding.
    #[serde(with = "apache_avro::serde::bytes")]
    pub snapshot: Vec<u8>,
}

/// What says that a snapshot is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VouchedBy {
    /// It is one of the cohort's first snapshots.
    Learning,
    /// A person said so.
    Operator,
    /// It was scored and found quiet.
    Gate,
}

crate::codec::string_enum!(VouchedBy {
    Learning = "learning",
    Operator = "operator",
    Gate = "gate",
});
