//! What every program needs and none is about: configuration, logs, shutdown, error reports.
//!
//! **Promises:** every problem of a configuration is told in one run, with the key, where it came from, what was
//! expected and what was found; standard output is never touched; a program that is asked to end is told once, and a
//! person who insists is obeyed at once.
//! **Never:** nothing of the domain: no hosts, graphs, models or topics; no connection, which is for those who use it.
//!
//! - [`config`]: keys from a file, the environment and flags, checked together; and their manual
//! - [`telemetry`]: logs, on standard error
//! - [`shutdown`]: signals as a token
//! - [`patience`]: trying again
//! - [`report`]: how a program ends, and what it says when it fails
//! - [`program`]: all of that together, with flags

pub mod config;
pub mod patience;
pub mod program;
pub mod report;
pub mod shutdown;
pub mod telemetry;

pub use config::{ConfigError, Problems, Settings, Sources, load, reference};
pub use patience::{Pause, patiently};
pub use program::Program;
pub use report::{Hint, run};
