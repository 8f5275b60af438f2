//! Collects the facts of one host: processes, files, control groups, filesystems, and the host's
//! own resources.
//!
//! Each module has a `History`, or a table, that is updated once in each sweep and keeps what
//! rates, waits and cached identities need between sweeps.
//!
//! **Promises:** A value that cannot be read has a reason and is never zero. A process is
//! identified by its pid and start time. What is read in one sweep is bounded by the settings
//! ([`config`]), and what is left out is counted ([`coverage`]).
//!
//! **Never:** No relations between processes, no nodes and edges, no bus. All reads go through
//! [`hostread`].
//!
//! In reading order:
//! - [`config`]: the section `[sweep]` of the settings
//! - [`processes`]: all processes of a sweep, with [`process`]; [`process_cache`], [`container`],
//!   [`role`], [`process_arguments`] and [`own_programs`] identify them; [`new_processes`] has
//!   those that are too young to be shown; [`rates`]: what they used since the previous sweep
//! - [`files`], within a [`descriptor_budget`]; [`tasks`]: threads and the system calls they are in
//! - [`cgroups`], [`filesystems`], [`system`]
//! - [`measure`]: a value or the reason why it is missing; [`coverage`]: what a sweep could not
//!   read

pub mod cgroups;
pub mod config;
pub mod container;
pub mod coverage;
pub mod descriptor_budget;
pub mod files;
pub mod filesystems;
pub mod measure;
pub mod new_processes;
pub mod own_programs;
pub mod process;
pub mod process_arguments;
pub mod process_cache;
pub mod processes;
pub mod rates;
pub mod role;
pub mod system;
pub mod tasks;

pub use config::SweepConfig;
