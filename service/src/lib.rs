//! What all programs have in common: settings, logs, retries, shutdown and error reports.
//!
//! **Promises:** one run reports every problem with the settings, each with its key, where the
//! value came from, what was expected and what was found. Nothing is written to standard output.
//! SIGTERM and Ctrl-C start an orderly shutdown; a second Ctrl-C ends the process at once.
//! **Never:** no domain knowledge (hosts, graphs, models, topics), and no connections: programs
//! open their own.
//!
//! - [`config`]: settings from a file, the environment and flags, and their manual
//! - [`telemetry`]: logs on standard error
//! - [`shutdown`]: turns SIGTERM and Ctrl-C into a cancellation token
//! - [`outage`]: one log line when an operation begins to fail, one when it recovers
//! - [`retry`]: retries with exponential backoff
//! - [`report`]: hints for errors, and the report of the error that ends a program
//! - [`program`]: what each `main` calls: flags, settings, logs, shutdown, exit code

pub mod config;
pub mod outage;
pub mod program;
pub mod report;
pub mod retry;
pub mod shutdown;
pub mod telemetry;

pub use config::{ConfigError, Problems, Settings, Sources, load, reference};
pub use outage::OutageLog;
pub use program::{NoFlags, Program};
pub use report::{Hint, run};
pub use retry::{Backoff, Retry};
