//! The errors of this crate.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a host or a recording cannot be read.
#[derive(Debug, Error)]
pub enum HostReadError {
    /// The root is not a `proc` filesystem.
    #[error("`{}` is not a proc filesystem: expected `stat` and `self` in it", path.display())]
    NotProc {
        /// Path of the root.
        path: PathBuf,
        /// Why `stat` or `self` cannot be read.
        source: io::Error,
    },
    /// A file that every sweep needs cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A recording cannot be written or read.
    #[error("the recording of raw reads cannot be written or read")]
    Tape(#[from] schemas::container::ContainerError),
    /// A sweep reads something else than it did when it was recorded.
    #[error(
        "the recording of raw reads, made by version {recorded_by}, does not fit version {}: expected the answer to \
         `{expected}`, found the answer to `{found}`",
        env!("CARGO_PKG_VERSION")
    )]
    TapeMismatch {
        /// What the sweep reads: operation and name.
        expected: String,
        /// What comes next in the recording.
        found: String,
        /// The version of Local Detective that made the recording.
        recorded_by: String,
    },
    /// A recording has no further sweep.
    #[error("the recording of raw reads has no further sweep")]
    EndOfTape,
    /// A recording ends within a sweep.
    #[error("the recording of raw reads ends within a sweep")]
    TruncatedTape,
}

impl HostReadError {
    /// What a user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            HostReadError::NotProc { .. } => Some(
                "Local Detective reads Linux's proc filesystem; in a container, mount the host's, for instance at \
                 `/host/proc`, and set `sweep.proc` to it",
            ),
            HostReadError::Read { .. } => {
                Some("run the producer as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
            }
            HostReadError::TapeMismatch { .. } => Some("play it with the version of Local Detective that recorded it"),
            HostReadError::Tape(_) | HostReadError::EndOfTape | HostReadError::TruncatedTape => None,
        }
    }

    /// Whether the recording failed rather than the host.
    pub fn is_about_tape(&self) -> bool {
        use HostReadError::{EndOfTape, Tape, TapeMismatch, TruncatedTape};
        matches!(self, TapeMismatch { .. } | Tape(_) | EndOfTape | TruncatedTape)
    }
}
