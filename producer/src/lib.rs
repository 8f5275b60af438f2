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
//! - [`config`]: what the producer is told
//! - [`sweep`]: one sweep after another
//! - `place`: where this process is, seen from the root it looks at
//! - `read`: bytes in, `seen`: or why there are none; `parse`: bytes to facts
//! - `aside`: reads that may hang
//! - `process`, `files`, `filesystems`, `sockets`, `system`: what there is; `abouts`: what of it is not read each time
//! - `young`: processes that have only begun
//! - `cgroups`: what control groups use, and whom they hold up
//! - `container`, `role`: what a thing is, whatever its number is today; `arguments`: what is made of those
//! - `tasks`: where each task is in the kernel; `locks`, `waits`, `stalls`: who holds, who waits, how long; `titles`: what they say
//! - `connections`, `pipes`: who is connected to whom
//! - [`run`]: sweeps at an interval; `outbox` is where snapshots wait for `delivery` to the bus, `record` their form
//! - [`settings`]: what the program `detective-producer` reads
//! - `rates`, `columns`, `coverage`, `builder`, `assemble`: facts to a snapshot
//! - `listing`: the little that `ps` tells, to be measured against it
//! - [`tape`]: everything that is asked of kernel and clock goes through it, to be recorded and played back; a recording
//!   begins with a `preamble`, and [`playback`] makes its sweeps once more
//! - `clock`: the one place where the time is asked for

pub mod config;
pub mod error;
pub mod playback;
pub mod rights;
pub mod run;
pub mod settings;
pub mod signals;
pub mod sweep;

mod abouts;
mod arguments;
mod aside;
mod assemble;
mod builder;
mod cgroups;
mod clock;
mod columns;
mod connections;
mod container;
mod coverage;
mod delivery;
mod files;
mod filesystems;
mod futexes;
#[doc(hidden)]
pub mod listing;
mod locks;
mod outbox;
#[doc(hidden)]
pub mod parse;
mod pipes;
mod place;
mod preamble;
mod process;
mod rates;
#[doc(hidden)]
pub mod read;
mod record;
mod role;
mod seen;
#[doc(hidden)]
pub mod sockets;
mod stalls;
mod system;
pub mod tape;
mod tasks;
mod titles;
mod waits;
mod young;

pub use config::{Producer, SweepConfig};
pub use error::ProducerError;
pub use playback::Playback;
pub use run::run;
pub use sweep::Sweeper;
pub use tape::Tape;
