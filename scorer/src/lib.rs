//! From snapshots and a model to suspects, and from suspects to incidents.
//!
//! **Promises:** a release is checked before its first use, and one that is not sound leaves the last good model at work. A
//! snapshot's events and the position behind it are published together or not at all, so no event is lost or told twice. What
//! cannot be taken goes to the dead letters with its bytes and the reason.
//!
//! **Never:** no training, no `/proc`. Everything it knows of a host came in a snapshot.
//!
//! In reading order:
//! - [`config`]: what a person may set
//! - [`model`]: a release checked and made ready to run
//! - [`score`]: one snapshot judged
//! - [`blame`]: from the one who suffers to the one who started it
//! - [`suspects`], [`reasons`]: nodes as suspects, and the evidence in words
//! - [`incident`]: when trouble becomes an incident, and when it is over
//! - [`learning`]: who vouches for a snapshot to learn from
//! - [`host`], [`engine`]: all state, and what each input makes of it
//! - [`run`]: the loop; `releases`: what it waits for; [`query`], [`api`]: what may be asked of it
//! - [`render`]: events for people; [`announce`]: on standard output, as they are published
//! - [`settings`]: what the program `detective-scorer` reads; [`waiting`]: what it answers while there is no bus

pub mod announce;
pub mod api;
pub mod blame;
pub mod config;
pub mod engine;
pub mod error;
pub mod host;
pub mod incident;
pub mod learning;
pub mod metrics;
pub mod model;
pub mod query;
pub mod reasons;
mod releases;
pub mod render;
mod run;
pub mod score;
pub mod settings;
pub mod suspects;
pub mod waiting;

pub use config::{AlarmConfig, ApiConfig, LearnConfig, ScorerConfig};
pub use error::ScorerError;
pub use run::{GROUP, run};
