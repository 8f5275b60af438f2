//! From healthy windows to a model and what to judge by it.
//!
//! **Promises:** the same snapshots and seed make the same model; what calibrates is not fitted; the ONNX file
//! reconstructs as the model did here; fitting keeps to one core, at low priority.
//!
//! **Never:** no inference engine, no `/proc`, no alerts. A record that can't be learned from is set aside with the
//! reason, and ends nothing.
//!
//! In reading order:
//! - [`config`]: what can be set
//! - [`dataset`]: which snapshots are learned from
//! - [`autoencoder`]: the model
//! - [`fit`]: fitting it
//! - [`calibrate`]: what is normal for a role, and what alarms
//! - [`release`]: all of it, from snapshots to a release
//! - [`onnx`]: the model as a file
//! - [`progress`]: what a person sees
//! - [`run`]: from topic to topic
//! - [`settings`]: what the program `detective-trainer` reads

mod aggregate;
mod apart;
pub mod autoencoder;
pub mod calibrate;
mod cohort;
pub mod config;
pub mod dataset;
pub mod error;
pub mod fit;
pub mod onnx;
mod ops;
mod product;
pub mod progress;
pub mod release;
pub mod run;
pub mod settings;
mod training;
mod trim;

pub use config::{FeaturesConfig, TrainerSettings, TrainingConfig};
pub use error::TrainerError;
pub use progress::Progress;
pub use release::{Lesson, train, train_apart};
pub use run::run;
