//! From snapshots to what a model reads, and from its answer to scores.
#![allow(clippy::unwrap_used, missing_docs)]

mod anomaly;
mod assemble;
mod classic;
mod features;
mod fixture;
mod threshold;
mod zscore;
