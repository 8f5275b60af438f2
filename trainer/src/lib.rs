//! Trains a graph auto-encoder on healthy snapshots and calibrates the alarm threshold.
//!
//! **Promises:** the same snapshots and seed give the same model; snapshots used for calibration
//! are not used for fitting; the exported ONNX file reconstructs what the model reconstructs here;
//! fitting uses one core at low priority.
//!
//! **Never:** no inference engine, no `/proc`, no alerts. An unreadable record goes to the dead
//! letters with the reason and does not stop the trainer.
//!
//! In reading order:
//! - [`config`]: the sections `[training]` and `[features]` of the settings
//! - [`dataset`]: outlier removal and the split into training and calibration sets
//! - [`sampler`]: even sampling from a stream of snapshots
//! - [`autoencoder`]: the model
//! - [`fit`]: the training loop
//! - [`calibrate`]: residual statistics for each role, and the alarm threshold
//! - [`release`]: the pipeline from snapshots to a model release
//! - [`onnx`]: export of the model
//! - [`progress`]: progress bars and lines for a terminal
//! - [`run`]: the service, from the healthy topic to the models topic
//! - [`settings`]: the settings of `detective-trainer`

pub mod autoencoder;
mod background;
pub mod calibrate;
mod cohort;
pub mod config;
pub mod dataset;
pub mod error;
pub mod fit;
mod healthy_index;
mod low_priority;
pub mod onnx;
mod ops;
mod outliers;
pub mod progress;
pub mod release;
pub mod run;
pub mod sampler;
pub mod settings;
mod thinning;

pub use config::{FeaturesConfig, TrainerSettings, TrainingConfig};
pub use error::TrainerError;
pub use progress::Progress;
pub use release::{TrainingJob, train, train_at_low_priority};
pub use run::run;
