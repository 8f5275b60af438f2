//! What can go wrong.

use hostread::HostReadError;
use thiserror::Error;

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum ProducerError {
    /// The host, or a recording of it, cannot be read.
    #[error(transparent)]
    Host(#[from] HostReadError),
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
    /// A file of raw reads does not tell how the sweeps were made.
    #[error("the file of raw reads does not begin with the settings of its sweeps: {reason}")]
    NoSettings {
        /// What is wrong with them.
        reason: String,
    },
    /// The bus has stopped for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

impl ProducerError {
    /// What the person at the keyboard can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ProducerError::Host(error) => error.hint(),
            ProducerError::Settings { .. } => Some("correct `[sweep]` in the configuration"),
            ProducerError::NoSettings { .. } => Some("play it with the version of Local Detective that recorded it"),
            ProducerError::Panicked { .. } | ProducerError::Record(_) => None,
            ProducerError::Bus(error) => error.hint(),
        }
    }

    /// Whether it is the recording that failed, and not what was or is to be recorded: then there is no use in going on.
    pub fn is_about_the_tape(&self) -> bool {
        match self {
            ProducerError::Host(error) => error.is_about_the_tape(),
            ProducerError::NoSettings { .. } => true,
            _ => false,
        }
    }
}
