//! What the trainer makes of healthy snapshots.
#![allow(clippy::unwrap_used)]

mod healthy;
mod onnx;
mod release;
mod topics;
