//! What can go wrong.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum ProducerError {
    /// The root is no `proc` file system.
    #[error("`{}` is no proc file system: expected `stat` and `self` in it", path.display())]
    NotProc {
        /// The root that was given.
        path: PathBuf,
        /// What the look for `stat` or `self` ended with.
        source: io::Error,
    },
    /// A file that every sweep needs cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The settings cannot be followed.
    #[error("settings cannot be followed: {}", problems.join("; "))]
    Settings {
        /// A sentence each.
        problems: Vec<String>,
    },
    /// A sweep ended in a panic.
    #[error("the sweep ended in a panic")]
    Panicked {
        /// What the runtime said.
        source: tokio::task::JoinError,
    },
    /// A snapshot cannot be written as a record.
    #[error("a snapshot cannot be written as a record")]
    Record(#[from] schemas::CodecError),
    /// A file of raw reads cannot be written or read.
    #[error("a file of raw reads cannot be used")]
    Tape(#[from] schemas::container::ContainerError),
    /// A file of raw reads answers other questions than a sweep asks.
    #[error("the file of raw reads does not fit: expected the answer to `{expected}`, found that to `{found}`")]
    OtherQuestion {
        /// What the sweep asked.
        expected: String,
        /// What comes next in the file.
        found: String,
    },
    /// A file of raw reads has no more answers.
    #[error("the file of raw reads ends within a sweep")]
    TapeEnds,
    /// The bus has stopped for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

impl ProducerError {
    /// What the person at the keyboard can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ProducerError::NotProc { .. } => Some(
                "Local Detective reads Linux's proc file system; in a container mount the host's, for instance at \
                 `/host/proc`, and name it in `sweep.proc`",
            ),
            ProducerError::Read { .. } => {
                Some("run the producer as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
            }
            ProducerError::Settings { .. } => Some("correct `[sweep]` in the configuration"),
            ProducerError::OtherQuestion { .. } => {
                Some("play it with the version of Local Detective that recorded it, and the same settings")
            }
            ProducerError::Panicked { .. }
            | ProducerError::Record(_)
            | ProducerError::Tape(_)
            | ProducerError::TapeEnds => None,
            ProducerError::Bus(error) => error.hint(),
        }
    }
}
