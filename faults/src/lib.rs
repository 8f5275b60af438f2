//! Injects faults on purpose, to see Local Detective at work and to evaluate it against ground
//! truth.
//!
//! **Promises:** a fault is bounded in time and resources, and its ground truth is known when it
//! begins. It is undone when it ends, when it is interrupted, and when any one of its processes is
//! killed: the [`guard`] outlives the process that injects the fault, and receives the undo step of
//! each change before the change is made. If the guard itself is killed, the injecting process
//! executes the steps.
//!
//! **Never:** it touches nothing but what it created itself and the components of the workload. As
//! root, it trusts nothing of a workload that runs as `nobody`. It prints nothing.
//!
//! A fault's processes are the program that links this crate, started again: the program must run
//! [`helper_main::run`] on `fault helper --parent PID JSON` and [`guard::run`] on `guard`.
//!
//! - [`catalogue`]: all faults, each a [`fault::Fault`] of a family: [`cpu`], [`memory`],
//!   [`locks`], [`hung`], [`disk`], [`network`], [`process`], [`logs`], [`benign`]
//! - [`injection`]: one fault from start to end
//! - [`injector`]: what a fault starts and changes; [`helper`]: the processes that take part in it;
//!   [`helper_main`]: their main function
//! - [`guard`], [`undo`]: how a fault is undone
//! - [`user`], [`trusted_folder`]: whose permissions an action has, and whose files are used
//! - [`requirement`], [`safety`]: whether a fault can be injected here, and whether it may be
//! - [`workload`], [`cgroup`], [`process_identity`]: the current workload, control groups and
//!   processes
//! - [`ground_truth`], [`ground_truth_record`], [`listing`]: what is reported of a fault

pub mod benign;
pub mod catalogue;
pub mod cgroup;
pub mod cpu;
pub mod disk;
pub mod fault;
pub mod ground_truth;
pub mod ground_truth_record;
pub mod guard;
pub mod helper;
pub mod helper_main;
pub mod hung;
pub mod injection;
pub mod injector;
pub mod listing;
pub mod locks;
pub mod logs;
pub mod memory;
pub mod network;
pub mod process;
pub mod process_identity;
pub mod requirement;
pub mod safety;
mod search_path;
pub mod trusted_folder;
pub mod undo;
pub mod user;
pub mod workload;

pub use injection::{Injection, Progress, inject};
