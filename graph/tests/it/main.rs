//! Tests of the path from snapshots to the input of a model, and from its output to scores.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

mod anomaly;

mod classic;
mod features;
mod fixture;
mod host_graph;
mod threshold;
mod zscore;
