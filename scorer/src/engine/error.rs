//! Why a record becomes a dead letter.

use schemas::{CodecError, InvalidRecord};
use thiserror::Error;

use crate::{model::ModelError, score::ScoreError};

/// Why a snapshot or a model release has no effect and becomes a dead letter.
#[derive(Debug, Error)]
pub enum RejectedRecord {
    /// It cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Its identity or a number in it is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    /// The snapshot cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// State of further hosts would exceed the limit.
    #[error("expected at most {max} hosts (`alarm.max_hosts`), found another one, `{host}`")]
    TooManyHosts {
        /// Value of `alarm.max_hosts`.
        max: usize,
        /// Host of the snapshot.
        host: String,
    },
}
