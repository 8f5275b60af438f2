//! Watches one host through `/proc` and the kernel's socket listing, and reports what it saw.
//!
//! **Promises:** an edge is sent only if both its ends were seen in one sweep; what could not be read is missing with
//! a reason, never zero; a process is told from every other by its id and its start time; a sweep never waits for a
//! server, or for a process's memory, that does not answer. Of a process's arguments only the base name of an
//! interpreter's script and words from fixed lists are sent, of its environment only the names of its container's host,
//! pod and namespace; where it is told to send all arguments, secrets are not.
//!
//! **Never:** no features, no models, no scores. Judgement lives downstream, so a compromised host cannot vouch for
//! itself. Local Detective's own processes and data are not shown.
//!
//! Edges go from the one that depends to what it depends on: `parent` from child to parent, `opens` from a process to
//! a file or to the endpoint that it listens at, `connects` from a client to its server's process (to the endpoint if
//! that is all that is known), `pipes` from reader to writer, `member-of` from a process to its control group and from that to
//! one around it that has limits, `waits-for` from the one that waits for a lock, or to be read from, to the one that holds it,
//! or should read, and from the one that waits to write to the frozen filesystem. A filesystem is a node of kind `file`;
//! those who write to it `opens` link to it, and while it is full or frozen the files on it are `member-of` it.
//!
//! - [`config`]: what the producer is told; [`settings`]: what the program `detective-producer` reads
//! - `collect`: what there is: processes, files, control groups, filesystems, the host's own resources
//! - `relate`: how they relate: who holds, who waits, who talks to whom
//! - `emit`: facts and relations as a snapshot, and its way to the bus
//! - [`sweep`]: one sweep after another: collects, relates and emits; [`run`]: sweeps at an interval
//! - [`playback`]: makes the sweeps of a recording once more; a recording begins with a `preamble`

pub mod config;
pub mod error;
pub mod playback;
pub mod run;
pub mod settings;
pub mod sweep;

mod collect;
mod emit;
mod preamble;
mod relate;

pub use config::{Producer, SweepConfig};
pub use error::ProducerError;
pub use playback::Playback;
pub use run::run;
pub use sweep::Sweeper;
