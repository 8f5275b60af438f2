//! Errors of training and of the trainer service.

use std::path::PathBuf;

use thiserror::Error;

/// Why a model could not be trained or published.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// The cohort has fewer usable snapshots than [`graph::MIN_SNAPSHOTS`].
    #[error("cohort `{cohort}`: expected at least {expected} valid healthy snapshots, found {found}")]
    TooFewSnapshots {
        /// Name of the cohort.
        cohort: String,
        /// Number of usable snapshots.
        found: usize,
        /// Minimum number of snapshots.
        expected: usize,
    },
    /// The lengths or indices of an encoded graph are inconsistent.
    #[error("expected {expected}, found {found}")]
    InvalidInput {
        /// Expected lengths or indices.
        expected: String,
        /// Actual lengths or indices.
        found: String,
    },
    /// The loss became infinite or NaN.
    #[error("training diverged in epoch {epoch}: the loss is {loss}")]
    Diverged {
        /// Number of the epoch, from 1.
        epoch: usize,
        /// Mean loss of that epoch.
        loss: f32,
    },
    /// Training was cancelled.
    #[error("training was interrupted")]
    Interrupted,
    /// The tensor library failed.
    #[error("the model cannot be computed")]
    Compute(#[from] candle_core::Error),
    /// The training thread could not be started, or panicked.
    #[error("training thread failed: {reason}")]
    Thread {
        /// Error of the system, or how the thread ended.
        reason: String,
    },
    /// The release cannot be encoded as a record.
    #[error("the model release cannot be encoded")]
    Encode(#[from] schemas::CodecError),
    /// The ONNX file cannot be written.
    #[error("model file `{}` cannot be written", path.display())]
    WriteOnnx {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// Reading from or publishing to the bus failed.
    #[error("the bus failed")]
    Bus(#[from] bus::BusError),
}

impl TrainerError {
    /// What a user can do about the error, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TrainerError::TooFewSnapshots { .. } => {
                Some("learn for longer, or declare a healthy period: `detective baseline --for 10m`")
            }
            TrainerError::Diverged { .. } => Some("lower `training.learning_rate`"),
            TrainerError::WriteOnnx { .. } => Some("set `training.write_onnx` to a file in a writable directory"),
            TrainerError::Bus(error) => error.hint(),
            _ => None,
        }
    }
}
