//! Integration tests: root causes, incidents, models and the HTTP API.
#![allow(clippy::unwrap_used, missing_docs)]

mod api_limits;
mod blame;
mod engine;
mod fixture;
mod incident;
mod model;
mod serve;
mod startup_api;
mod without_blame;
