//! From a snapshot to a graph, and from a graph to what a model reads and what its answer means.
//!
//! **Promises:** a [`HostGraph`] is sound: every index points at something and every value is finite. Trainer and scorer
//! encode and judge by the same code, so the two can't drift.
//!
//! **Never:** no I/O, no async, no machine learning. Numbers go in and come out.
//!
//! In reading order:
//! - [`assemble`]: a snapshot checked and turned into a graph
//! - [`recipe`]: which columns are read and how a raw value is transformed
//! - [`scale`]: what is normal for a role
//! - [`features`]: the one encoder
//! - [`classic`]: the eleven features of the original design
//! - [`anomaly`]: what a reconstruction says of each node
//! - [`zscore`]: what the same normal says of each node without a model, to compare with
//! - [`threshold`]: from a wanted rate of false alarms to a threshold
//! - [`window`]: what is forgotten, when

pub mod anomaly;
pub mod assemble;
pub mod classic;
pub mod features;
pub mod recipe;
pub mod scale;
pub mod threshold;
pub mod window;
pub mod zscore;

pub use anomaly::{Deviation, NodeScore};
pub use assemble::{GraphError, HostGraph};
pub use features::Encoded;
pub use recipe::{Profile, RECIPE_VERSION, Recipe};
pub use scale::Scaler;
pub use window::Window;
