//! What can go wrong between healthy windows and a release.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is no model.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// There is too little to learn from.
    #[error("cohort `{cohort}` has {found} sound healthy snapshots: expected at least {expected}")]
    TooFew {
        /// The cohort.
        cohort: String,
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// An encoded graph does not fit together.
    #[error("expected {expected}, found {found}")]
    Encoded {
        /// What it takes.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The loss left the numbers.
    #[error("training diverged in epoch {epoch}: the loss is {loss}")]
    Diverged {
        /// From 1.
        epoch: usize,
        /// Infinite or not a number.
        loss: f32,
    },
    /// It was told to stop.
    #[error("training was interrupted")]
    Interrupted,
    /// The library that computes failed.
    #[error("the model cannot be computed")]
    Compute(#[from] candle_core::Error),
    /// The thread that trains could not be started, or ended without an answer.
    #[error("training cannot run: {reason}")]
    Thread {
        /// Why.
        reason: String,
    },
    /// The release cannot be written as a record.
    #[error("the release cannot be encoded")]
    Release(#[from] schemas::CodecError),
    /// The model file cannot be written.
    #[error("model file `{}` cannot be written", path.display())]
    Onnx {
        /// Where it was to go.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bus failed.
    #[error("the bus failed")]
    Bus(#[from] bus::BusError),
}

impl TrainerError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TrainerError::TooFew { .. } => {
                Some("let it learn for longer, or vouch for healthy time: `detective baseline --for 10m`")
            }
            TrainerError::Diverged { .. } => Some("lower `training.learning_rate`"),
            TrainerError::Onnx { .. } => {
                Some("name a file in a directory that may be written in `training.write_onnx`")
            }
            TrainerError::Bus(error) => error.hint(),
            _ => None,
        }
    }
}
