//! What can go wrong when a host is read or a tape is used.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a host or a tape cannot be read.
#[derive(Debug, Error)]
pub enum HostReadError {
    /// The root is not a `proc` filesystem.
    #[error("`{}` is no proc file system: expected `stat` and `self` in it", path.display())]
    NotProc {
        /// The root that was given.
        path: PathBuf,
        /// Why `stat` or `self` could not be read.
        source: io::Error,
    },
    /// A file that every sweep needs cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A tape cannot be written or read.
    #[error("a file of raw reads cannot be used")]
    Tape(#[from] schemas::container::ContainerError),
    /// A tape answers other questions than are asked.
    #[error(
        "the file of raw reads, made by version {made_by}, does not fit version {}: expected the answer to `{expected}`, \
         found that to `{found}`",
        env!("CARGO_PKG_VERSION")
    )]
    TapeMismatch {
        /// The question that was asked.
        expected: String,
        /// The question that comes next on the tape.
        found: String,
        /// The version of Local Detective that recorded the tape.
        made_by: String,
    },
    /// A tape has no further sweep.
    #[error("the file of raw reads has no further sweep")]
    EndOfTape,
    /// A tape ends within a sweep.
    #[error("the file of raw reads ends within a sweep")]
    TruncatedTape,
}

impl HostReadError {
    /// What a user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            HostReadError::NotProc { .. } => Some(
                "Local Detective reads Linux's proc file system; in a container mount the host's, for instance at \
                 `/host/proc`, and name it in `sweep.proc`",
            ),
            HostReadError::Read { .. } => {
                Some("run the producer as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
            }
            HostReadError::TapeMismatch { .. } => Some("play it with the version of Local Detective that recorded it"),
            HostReadError::Tape(_) | HostReadError::EndOfTape | HostReadError::TruncatedTape => None,
        }
    }

    /// Whether the tape failed rather than the host.
    pub fn is_about_the_tape(&self) -> bool {
        use HostReadError::{EndOfTape, Tape, TapeMismatch, TruncatedTape};
        matches!(self, TapeMismatch { .. } | Tape(_) | TruncatedTape | EndOfTape)
    }
}
