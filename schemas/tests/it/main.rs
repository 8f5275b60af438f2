//! Tests of the records: golden bytes, schema evolution, and invalid bytes.
#![allow(missing_docs)]

mod container;
mod evolution;
mod golden;
mod malformed;
mod samples;
