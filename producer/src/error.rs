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
    /// A file of raw reads does not tell how the sweeps were made.
    #[error("the file of raw reads does not begin with the settings of its sweeps: {reason}")]
    NoSettings {
        /// What is wrong with them.
        reason: String,
    },
    /// A file of raw reads answers other questions than a sweep asks.
    #[error(
        "the file of raw reads, made by version {made_by}, does not fit version {}: expected the answer to `{expected}`, \
         found that to `{found}`",
        env!("CARGO_PKG_VERSION")
    )]
    OtherQuestion {
        /// What the sweep asked.
        expected: String,
        /// What comes next in the file.
        found: String,
        /// The version of Local Detective that made the file.
        made_by: String,
    },
    /// A file of raw reads has no further sweep.
    #[error("the file of raw reads has no further sweep")]
    TapeEnds,
    /// A file of raw reads has no more answers, and the sweep has more questions.
    #[error("the file of raw reads ends within a sweep")]
    TapeCut,
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
            ProducerError::NoSettings { .. } | ProducerError::OtherQuestion { .. } => {
                Some("play it with the version of Local Detective that recorded it")
            }
            ProducerError::Panicked { .. }
            | ProducerError::Record(_)
            | ProducerError::Tape(_)
            | ProducerError::TapeEnds
            | ProducerError::TapeCut => None,
            ProducerError::Bus(error) => error.hint(),
        }
    }

    /// Whether it is the recording that failed, and not what was or is to be recorded: then there is no use in going on.
    pub fn is_about_the_tape(&self) -> bool {
        use ProducerError::{NoSettings, OtherQuestion, Tape, TapeCut, TapeEnds};
        matches!(self, NoSettings { .. } | OtherQuestion { .. } | Tape(_) | TapeCut | TapeEnds)
    }
}
