//! Turns snapshots into graphs, graphs into the input of a model, and its output into anomaly
//! scores.
//!
//! **Promises:** a [`HostGraph`] is valid: every index points to a node and every value is finite.
//! Trainer and scorer encode and score with the same code, so that they cannot drift apart.
//!
//! **Never:** no I/O, no async, no inference engine. Numbers go in and come out.
//!
//! In reading order:
//! - [`host_graph`]: a snapshot, checked and turned into a graph
//! - [`recipe`]: which columns are read, and how their values are compared
//! - [`baseline`]: centre and spread of each signal for a role
//! - [`features`]: the encoder, and its output [`Encoded`]
//! - [`classic`]: the eleven features of the original design
//! - [`anomaly`]: anomaly scores from the reconstruction of a model
//! - [`zscore`]: anomaly scores without a model, for comparison
//! - [`threshold`]: from a rate of false alarms to a threshold
//! - [`statistics`]: quantiles and robust spreads
//! - [`window`]: items of the last minutes

pub mod anomaly;
pub mod baseline;
pub mod classic;
mod column_values;
mod encoded;
pub mod features;
pub mod host_graph;
pub mod recipe;
pub mod statistics;
pub mod threshold;
pub mod window;
pub mod zscore;

pub use anomaly::{Deviation, NodeScore};
pub use baseline::Baselines;
pub use encoded::Encoded;
pub use host_graph::{GraphError, HostGraph};
pub use recipe::{Profile, RECIPE_VERSION, Recipe};
pub use window::Window;

/// Smallest number of snapshots that a model is trained on, and that a scorer learns from.
pub const MIN_SNAPSHOTS: usize = 10;
