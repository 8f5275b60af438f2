//! Integration tests: training releases from synthetic snapshots.
#![allow(clippy::unwrap_used)]

mod healthy;
mod onnx;
mod release;
mod topics;
