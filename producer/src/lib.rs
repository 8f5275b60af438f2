//! Watches one host through `/proc`, control groups and the kernel's socket listing, and publishes
//! a snapshot of it at each interval.
//!
//! **Promises:** An edge is published only if one sweep saw both of its ends. Unreadable values are
//! missing with a reason, never zero. A process is identified by its pid and start time. A sweep
//! never waits for a server, or for a process's memory, that does not answer. From a process's
//! arguments, only the base name of an interpreter's script and words from fixed lists are
//! published; from its environment, only the names of its container's host, pod and namespace. If
//! the settings ask for full command lines, secrets are removed from them.
//!
//! **Never:** No features, models or scores. Detection happens downstream, so a compromised host
//! cannot declare itself healthy. Local Detective's own processes, except fault helpers, and its
//! own data are never shown.
//!
//! Edges point from the dependent node to the node that it depends on:
//!
//! | kind | from | to |
//! |---|---|---|
//! | `parent` | child process | parent process |
//! | `opens` | process | file, endpoint that it listens on, filesystem that it writes to |
//! | `connects` | client | server process, or its endpoint if the process is unknown |
//! | `pipes` | reader of a pipe | its writer |
//! | `member-of` | process | its control group |
//! | `member-of` | control group | the next group around it that has limits or is frozen |
//! | `member-of` | file | the full or frozen filesystem that it is on |
//! | `holds-lock`, `waits-lock` | process | the locked file |
//! | `waits-for` | process that waits for a lock, or for its data to be read | holder, or reader |
//! | `waits-for` | process that waits to write | the frozen filesystem |
//!
//! There is one `connects` edge per pair of nodes; its `count` is the number of their connections.
//! It is 1 on all other edges. A filesystem is a node of kind `file`.
//!
//! - [`config`]: settings of the producer; [`settings`]: settings of the program
//!   `detective-producer`
//! - `relate`: derives relations from the facts of the [`collector`]: lock holders, waiters,
//!   connections
//! - `emit`: turns facts and relations into a snapshot and delivers it to the bus
//! - [`sweep`]: makes one snapshot after another: collects, relates, emits; [`run`]: sweeps at an
//!   interval
//! - [`playback`]: repeats the sweeps of a recording; a recording starts with a `preamble`

pub mod config;
pub mod error;
pub mod playback;
pub mod run;
pub mod settings;
pub mod sweep;

mod emit;
mod preamble;
mod relate;

pub use collector::SweepConfig;
pub use config::Producer;
pub use error::ProducerError;
pub use playback::Playback;
pub use run::run;
pub use sweep::Sweeper;
