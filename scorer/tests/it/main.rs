//! Integration tests: root causes, incidents, models and the HTTP API.
#![allow(clippy::unwrap_used, missing_docs)]

mod blame;
mod engine;
mod fixture;
mod incident;
mod model;
mod rejected;
mod serve;
mod startup_api;
mod stopped_bus;
mod without_blame;
