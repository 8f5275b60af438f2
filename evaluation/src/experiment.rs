//! Executes a plan on this host: starts a workload and records it while it is healthy, during
//! benign changes and during one fault after another. The recordings are a directory of cases.
//!
//! Nothing is scored meanwhile, so that all rankers see the same snapshots and none of them costs
//! the host anything.
//!
//! - [`plan`]: the plan, as a user writes it
//! - [`schedule`]: the order of its steps, by a seed
//! - `workload`: starts and stops the workload
//! - `recorder`: sweeps the host into the file of the current step
//! - `fault_process`: a fault as a process of its own, and the ground truth that it prints
//! - `runner`: executes the steps

mod fault_process;
pub mod plan;
mod recorder;
mod runner;
pub mod schedule;
mod workload;

pub use plan::Plan;
pub use runner::run_experiment;
