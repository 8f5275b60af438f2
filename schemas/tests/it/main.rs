//! Tests of the records: golden bytes, schema evolution, and invalid bytes.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

mod check;
mod container;
mod evolution;
mod golden;
mod malformed;
mod samples;
