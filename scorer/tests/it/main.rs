//! Integration tests: root causes, incidents, models and the HTTP API.
#![allow(clippy::unwrap_used, missing_docs)]

mod api_limits;
mod blame;
mod blind;
mod engine;
mod fixture;
mod identity;
mod incident;
mod many;
mod model;
mod rejected;
mod serve;
mod startup_api;
mod state;
mod stopped_bus;
mod unsafe_names;
mod without_blame;
