//! Errors of the producer.

use hostread::HostReadError;
use thiserror::Error;

/// Reason why there is no snapshot.
#[derive(Debug, Error)]
pub enum ProducerError {
    /// The host, or a recording of it, cannot be read.
    #[error(transparent)]
    Host(#[from] HostReadError),
    /// The settings are invalid.
    #[error("invalid settings: {}", problems.join("; "))]
    Settings {
        /// One sentence per problem.
        problems: Vec<String>,
    },
    /// A sweep ended in a panic.
    #[error("the sweep ended in a panic")]
    Panicked {
        /// Error of the runtime.
        source: tokio::task::JoinError,
    },
    /// The thread that sweeps cannot be started.
    #[error("cannot start the thread that sweeps")]
    Thread {
        /// Error of the system call.
        source: std::io::Error,
    },
    /// A snapshot cannot be encoded as a record.
    #[error("cannot encode the snapshot as a record")]
    Record(#[from] schemas::CodecError),
    /// A recording of raw reads does not start with the settings of its sweeps.
    #[error("expected settings at the start of the recording: {reason}")]
    NoSettings {
        /// What is missing or invalid.
        reason: String,
    },
    /// The bus has stopped permanently.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

impl ProducerError {
    /// Returns what the user can do about the error.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ProducerError::Host(error) => error.hint(),
            ProducerError::Settings { .. } => Some("correct `[sweep]` in the settings"),
            ProducerError::NoSettings { .. } => Some("play it with the version of Local Detective that recorded it"),
            ProducerError::Thread { .. } => Some("raise the limit of processes and threads (`ulimit -u`, `TasksMax=`)"),
            ProducerError::Panicked { .. } | ProducerError::Record(_) => None,
            ProducerError::Bus(error) => error.hint(),
        }
    }

    /// Returns whether writing or reading the recording failed, not reading the host. Later sweeps
    /// would then fail too.
    pub fn is_about_the_tape(&self) -> bool {
        match self {
            ProducerError::Host(error) => error.is_about_tape(),
            ProducerError::NoSettings { .. } => true,
            _ => false,
        }
    }
}
