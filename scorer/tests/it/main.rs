//! From scored sweeps to suspects, incidents and answers.
#![allow(clippy::unwrap_used, missing_docs)]

mod blame;
mod engine;
mod fixture;
mod incident;
mod model;
mod serve;
mod waiting;
mod without_blame;
