//! Model releases: a trained model with everything that a scorer needs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Form, NodeKind, Timestamp, Unit};

/// A trained model of one cohort. Keyed by cohort; the newest release is in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRelease {
    /// Cohort that the model belongs to.
    pub cohort: String,
    /// Incremented by every relearn.
    pub generation: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// `default` or `classic`.
    pub profile: String,
    /// Version of the feature encoding that the model was trained with.
    pub recipe: i32,
    /// Columns that the encoder reads, in order.
    pub columns: Vec<ColumnSpec>,
    /// Width F of the model's input `x[N, F]`.
    pub features: i32,
    /// SHA-256 of `onnx`, in lower-case hex.
    pub sha256: String,
    /// The model as an ONNX file.
    #[serde(with = "apache_avro::serde::bytes")]
    pub onnx: Vec<u8>,
    /// How it was trained.
    pub manifest: Manifest,
    /// Baselines and threshold.
    pub calibration: Calibration,
}

impl ModelRelease {
    /// Whether the SHA-256 of `onnx` is the stated one.
    pub fn is_intact(&self) -> bool {
        sha256_hex(&self.onnx) == self.sha256
    }

    /// A short name for people: the first twelve digits of the SHA-256.
    pub fn short_name(&self) -> &str {
        self.sha256.get(..12).unwrap_or(&self.sha256)
    }
}

/// SHA-256 of `bytes`, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// A column that a release pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Name of the column.
    pub name: String,
    /// Unit of its values.
    pub unit: Unit,
    /// How its values arise.
    pub form: Form,
}

/// How a model was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Number of trainable parameters.
    pub parameters: i64,
    /// Passes over the training snapshots.
    pub epochs: i32,
    /// Mean squared error in the first epoch.
    pub loss_first: f64,
    /// Mean squared error in the last epoch.
    pub loss_last: f64,
    /// Number of snapshots that were fitted.
    pub fitted: i64,
    /// Number of snapshots held back for calibration.
    pub calibrated: i64,
    /// Time of the oldest snapshot in the training set.
    pub from: Timestamp,
    /// Time of the newest snapshot in the training set.
    pub until: Timestamp,
}

/// Baselines of all roles, and the alarm threshold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// A node with a higher score alarms.
    pub threshold: f64,
    /// One entry per role, and one per kind, with an empty role, as the fallback.
    pub roles: Vec<RoleCalibration>,
    /// 99th percentile of each pressure column during learning.
    pub pressure_p99: Vec<ColumnLimit>,
}

/// Baseline of one role; each list has one entry per column of the release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleCalibration {
    /// Kind of the nodes.
    pub kind: NodeKind,
    /// Role of the nodes; empty for the fallback of a kind.
    pub role: String,
    /// Number of node samples behind these figures.
    pub observations: i64,
    /// Robust centres of the transformed values.
    pub centre: Vec<f32>,
    /// Robust spreads of the transformed values, above 0.
    pub spread: Vec<f32>,
    /// Centres of input minus reconstruction.
    pub residual_centre: Vec<f32>,
    /// Spreads of input minus reconstruction, above 0.
    pub residual_spread: Vec<f32>,
}

/// A column and its highest healthy value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnLimit {
    /// Name of the column.
    pub name: String,
    /// The value, in the column's unit.
    pub limit: f32,
}
