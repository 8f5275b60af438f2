//! Scores snapshots with a model, infers root causes and tracks incidents.
//!
//! **Promises:** a model release is checked before it is used; an invalid release leaves the
//! current model in use. The events of a snapshot and its position are published in one
//! transaction, so no event is lost or published twice. A record that is invalid, or that the bus
//! rejects, goes to the dead letters with its bytes and the reason; it never stops the scorer.
//!
//! **Never:** no incident opens or resolves because of a snapshot that lacks much more than usual,
//! and no such snapshot counts as healthy. No training, no `/proc`. All knowledge of a host comes
//! from its snapshots.
//!
//! In reading order:
//! - [`config`]: the sections `[learn]`, `[alarm]` and `[api]` of the settings
//! - [`model`]: checks a release and runs it
//! - [`score`]: the anomaly scores of one snapshot
//! - [`blame`]: the inference from alarming nodes to root causes
//! - [`suspects`], [`reasons`]: ranked suspects, and their reasons in words
//! - [`coverage`]: which snapshots are not judged because their coverage collapsed
//! - [`incident`]: when an incident opens, changes and ends
//! - [`learning`]: which snapshots become healthy records
//! - [`host`], [`engine`]: all state, and how each input changes it
//! - [`run`]: the loop and its operations on the bus; `restore`: what earlier runs learned, read
//!   meanwhile; `releases`: models published meanwhile
//! - [`query`], [`api`]: queries to the loop, over HTTP; [`metrics`]: counters for Prometheus
//! - [`freshness`]: whether snapshots are received, scored and published
//! - [`startup_api`]: the HTTP API until the bus is open
//! - [`render`], [`printer`], [`printing_bus`]: events as text on standard output
//! - [`settings`]: the settings of `detective-scorer`

pub mod api;
pub mod blame;
pub mod config;
pub mod coverage;
pub mod engine;
pub mod error;
pub mod freshness;
pub mod host;
pub mod incident;
pub mod learning;
pub mod metrics;
pub mod model;
pub mod printer;
pub mod printing_bus;
pub mod query;
pub mod reasons;
mod releases;
pub mod render;
mod restore;
mod run;
pub mod score;
pub mod settings;
pub mod startup_api;
pub mod suspects;

pub use config::{AlarmConfig, ApiConfig, LearnConfig, ScorerConfig};
pub use error::ScorerError;
pub use run::{GROUP, run};
