//! Errors that end the scorer.

use std::net::SocketAddr;

use thiserror::Error;

/// Why the scorer ended.
#[derive(Debug, Error)]
pub enum ScorerError {
    /// The bus failed at the start, or for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    /// The HTTP API cannot listen on its address.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Value of `api.listen`.
        address: SocketAddr,
        /// Error of the system.
        source: std::io::Error,
    },
}

impl ScorerError {
    /// What a user can do about the error, if anything.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ScorerError::Bus(error) => error.hint(),
            ScorerError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => Some(
                "another program uses this port, perhaps another detective; choose another with `--listen 127.0.0.1:PORT` or \
                 `api.listen`",
            ),
            ScorerError::Listen { .. } => {
                Some("use an address of this machine with `--listen IP:PORT` or `api.listen`")
            }
        }
    }
}
