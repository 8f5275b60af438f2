//! Reads the kernel of one host: `/proc`, `sock_diag`, control groups and filesystems.
//!
//! **Promises:** every answer of the kernel and of a clock goes through a [`Tape`], so that sweeps
//! can be recorded and played back to the byte. A value that cannot be read is a [`Seen`] that says
//! why. Parsers accept any bytes and never panic. A file that belongs to another process's memory
//! or filesystem is read by a [`BlockingReader`], which gives up after a while.
//!
//! **Never:** no rates, graphs or judgement. Nothing is written to the host. A lack of descriptors
//! or memory is never taken for a lack of support.
//!
//! Modules, in reading order:
//!
//! - [`seen`]: a value, or the reason why there is none
//! - [`parse`]: pure functions, one file of the kernel each, with the types that they return
//! - [`clock`], [`tape`]: reads clocks; records answers and plays them back
//! - [`descriptors`]: the file descriptors that this process may open
//! - [`directory`], [`proc_root`]: reads relative to an open directory, and below a `/proc` root
//! - [`process`], [`blocking_reader`]: reads the files of one process
//! - [`rights`], [`vantage`]: what this process may read, and which namespaces it reads from
//! - [`cgroups`], [`mounts`], [`locks`], [`sockets`]: reads control groups, filesystems, file locks
//!   and sockets
//! - [`ps`]: reads what `ps` prints, to compare costs
//! - [`error`]: why a host or a tape cannot be read at all

pub mod blocking_reader;
pub mod cgroups;
pub mod clock;
pub mod descriptors;
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
