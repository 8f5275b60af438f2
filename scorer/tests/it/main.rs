//! Integration tests: root causes, incidents, models and the HTTP API.
#![allow(clippy::unwrap_used, missing_docs)]

mod blame;
mod blind;
mod engine;
mod fixture;
mod incident;
mod model;
mod serve;
mod startup_api;
mod unsafe_names;
mod without_blame;
