//! Watches one host through `/proc` and the kernel's socket listing, and reports what it saw.
//!
//! **Promises:** an edge is sent only if both its ends were seen in one sweep; what could not be read is missing with
//! a reason, never zero; a process is told from every other by its id and its start time; a sweep never waits for a
//! server that does not answer. Of a process's arguments only the base name of an interpreter's script is sent.
//!
//! **Never:** no features, no models, no scores. Judgement lives downstream, so a compromised host cannot vouch for
//! itself. Local Detective's own processes and data are not shown.
//!
//! Edges go from the one that depends to what it depends on: `parent` from child to parent, `opens` from a process to
//! a file or to the endpoint that it listens at, `connects` from a client to its server's process (to the endpoint if
//! that is all that is known), `pipes` from reader to writer, `waits-for` from the one that waits for a lock to the one
//! that holds it.
//!
//! - [`config`]: what the producer is told
//! - [`sweep`]: one sweep after another
//! - `place`: where this process is, seen from the root it looks at
//! - `read`: bytes in; `parse`: bytes to facts
//! - `process`, `files`, `sockets`, `system`: what there is
//! - `role`: what a thing is, whatever its number is today
//! - `locks`, `waits`: who holds, who waits, how long
//! - `connections`, `pipes`: who is connected to whom
//! - [`run`]: sweeps at an interval; `outbox` is where snapshots wait for `delivery` to the bus, `record` their form
//! - [`settings`]: what the program `detective-producer` reads
//! - `rates`, `columns`, `coverage`, `builder`, `assemble`: facts to a snapshot
//! - `listing`: the little that `ps` tells, to be measured against it
//! - [`tape`]: everything that is asked of kernel and clock goes through it, to be recorded and played back
//! - `clock`: the one place where the time is asked for

pub mod config;
pub mod error;
pub mod run;
pub mod settings;
pub mod sweep;

mod assemble;
mod builder;
mod clock;
mod columns;
mod connections;
mod coverage;
mod delivery;
mod files;
#[doc(hidden)]
pub mod listing;
mod locks;
mod outbox;
#[doc(hidden)]
pub mod parse;
mod pipes;
mod place;
mod process;
mod rates;
#[doc(hidden)]
pub mod read;
mod record;
mod role;
#[doc(hidden)]
pub mod sockets;
mod system;
pub mod tape;
mod waits;

pub use config::{Producer, SweepConfig};
pub use error::ProducerError;
pub use run::run;
pub use sweep::Sweeper;
pub use tape::Tape;
