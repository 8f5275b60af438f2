//! Reads the kernel of one host: `/proc`, `sock_diag`, control groups and filesystems.
//!
//! **Promises:** every answer of the kernel and every time of a clock goes through a [`Tape`], so that a series of reads can be
//! recorded and played back to the byte. A value that cannot be read is a [`Seen`] that says why. Parsers accept any bytes and never
//! panic. A read never waits for a server: reads that may hang are bounded by [`BlockingReader`].
//!
//! **Never:** no rates, no graphs, no judgement. Nothing here keeps what an earlier read found, and nothing is written to the host.
//!
//! In reading order:
//!
//! - [`seen`]: a value, or why there is none; [`clock`]: the one place that reads clocks
//! - [`parse`]: pure functions from bytes to facts, one file of the kernel each, with the types that they return
//! - [`tape`]: records answers and plays them back
//! - [`directory`]: reads relative to open directories; [`proc_root`]: a `/proc` filesystem
//! - [`process`]: one process and its files; [`blocking_reader`]: those of its files that may hang
//! - [`rights`], [`vantage`]: what this process may read, and from which namespaces it reads
//! - [`cgroups`], [`mounts`], [`locks`], [`sockets`]: control groups, local filesystems, file locks, and sockets of all namespaces
//! - [`ps`]: the columns of `ps`, to compare costs

pub mod blocking_reader;
pub mod cgroups;
pub mod clock;
pub mod directory;
pub mod error;
pub mod locks;
pub mod mounts;
pub mod parse;
pub mod proc_root;
pub mod process;
pub mod ps;
pub mod rights;
pub mod seen;
pub mod sockets;
pub mod tape;
pub mod vantage;

pub use blocking_reader::BlockingReader;
pub use directory::Directory;
pub use error::HostReadError;
pub use proc_root::ProcRoot;
pub use process::ProcessKey;
pub use seen::Seen;
pub use tape::Tape;
pub use vantage::Vantage;
