//! What ends the scorer.

use std::net::SocketAddr;

use thiserror::Error;

/// Why the scorer cannot go on.
#[derive(Debug, Error)]
pub enum ScorerError {
    /// The bus failed where the scorer cannot do without it.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    /// Its own record cannot be written.
    #[error(transparent)]
    Codec(#[from] schemas::CodecError),
    /// The HTTP API cannot listen.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where it was told to listen.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

impl ScorerError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ScorerError::Bus(error) => error.hint(),
            ScorerError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => Some(
                "another program has the port, perhaps another detective; choose one with `--listen 127.0.0.1:PORT` or \
                 `api.listen`",
            ),
            ScorerError::Listen { .. } => {
                Some("choose an address of this machine with `--listen IP:PORT` or `api.listen`")
            }
            ScorerError::Codec(_) => None,
        }
    }
}
