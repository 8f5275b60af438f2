//! A trained model and all that a scorer needs to judge by it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Form, NodeKind, Timestamp, Unit};

/// A trained model of one cohort. Keyed by cohort; the newest counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRelease {
    /// The group of like hosts that the model belongs to.
    pub cohort: String,
    /// Grows with every relearn.
    pub generation: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// `default` or `classic`.
    pub profile: String,
    /// Version of the feature encoding that the model was trained on.
    pub recipe: i32,
    /// The columns that the encoder reads, in this order.
    pub columns: Vec<ColumnSpec>,
    /// Width F of the model's input `x[N, F]`.
    pub features: i32,
    /// Of `onnx`, in lower-case hex.
    pub sha256: String,
    /// The model file.
    #[serde(with = "apache_avro::serde::bytes")]
    pub onnx: Vec<u8>,
    /// How it was trained.
    pub manifest: Manifest,
    /// What is normal, and what alarms.
    pub calibration: Calibration,
}

impl ModelRelease {
    /// Whether the model file is the one whose checksum the release carries.
    pub fn is_intact(&self) -> bool {
        sha256_hex(&self.onnx) == self.sha256
    }

    /// A short name for people: the first twelve digits of the checksum.
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

/// A column as a release pins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// The column's name.
    pub name: String,
    /// The unit of its values.
    pub unit: Unit,
    /// How its values arise.
    pub form: Form,
}

/// How a model was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Trainable numbers in the model.
    pub parameters: i64,
    /// Passes over the fitted snapshots.
    pub epochs: i32,
    /// Mean squared error in the first epoch.
    pub loss_first: f64,
    /// Mean squared error in the last epoch.
    pub loss_last: f64,
    /// Snapshots that were fitted.
    pub fitted: i64,
    /// Snapshots held back for calibration.
    pub calibrated: i64,
    /// The oldest snapshot used.
    pub from: Timestamp,
    /// The newest snapshot used.
    pub until: Timestamp,
}

/// What is normal for each role, and what alarms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// A node whose score is above it alarms.
    pub threshold: f64,
    /// A role's entry has its name; the fallback of a kind has an empty role.
    pub roles: Vec<RoleCalibration>,
    /// The 99th percentile of each pressure column in learning.
    pub pressure_p99: Vec<ColumnLimit>,
}

/// What is normal for the nodes of one role; lists are per column of the release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleCalibration {
    /// The nodes' kind.
    pub kind: NodeKind,
    /// The nodes' role; empty for the fallback of the kind.
    pub role: String,
    /// Node-sweeps behind these figures.
    pub observations: i64,
    /// Robust centre of the transformed value.
    pub centre: Vec<f32>,
    /// Robust spread of the transformed value, above 0.
    pub spread: Vec<f32>,
    /// Centre of input minus reconstruction.
    pub residual_centre: Vec<f32>,
    /// Spread of input minus reconstruction, above 0.
    pub residual_spread: Vec<f32>,
}

/// A column and the most that was seen of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnLimit {
    /// The column's name.
    pub name: String,
    /// In the column's own unit.
    pub limit: f32,
}
