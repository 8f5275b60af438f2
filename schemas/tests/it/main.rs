//! The contract of the records: golden bytes, evolution, and what bad bytes get.
#![allow(clippy::unwrap_used, missing_docs)]

mod container;
mod evolution;
mod golden;
mod malformed;
mod samples;
