//! Invalid model releases are rejected.

use schemas::{Calibration, ColumnSpec, Manifest, ModelRelease, RoleCalibration, Timestamp, release::sha256_hex};
use scorer::model::Model;

fn release() -> ModelRelease {
    let onnx = b"not an ONNX file".to_vec();
    ModelRelease {
        cohort: "c".into(),
        generation: 0,
        created_at: Timestamp(0),
        profile: "default".into(),
        recipe: graph::RECIPE_VERSION,
        columns: vec![ColumnSpec { name: "cpu_pct".into(), unit: "percent".into(), form: "rate".into() }],
        features: 4,
        sha256: sha256_hex(&onnx),
        onnx,
        manifest: Manifest::default(),
        calibration: Calibration { threshold: 6.0, ..Calibration::default() },
    }
}

fn check(change: impl FnOnce(&mut ModelRelease), expected: &str) {
    let mut release = release();
    change(&mut release);
    let error = Model::load(release).err().unwrap().to_string();
    assert!(error.contains(expected), "expected `{expected}` in `{error}`");
}

#[test]
fn a_corrupt_onnx_file_is_rejected() {
    check(|_| {}, "cannot be loaded");
}

#[test]
fn a_wrong_checksum_is_rejected() {
    check(|release| release.onnx[0] ^= 1, "expected SHA-256");
}

#[test]
fn another_recipe_or_profile_is_rejected() {
    check(|release| release.recipe += 1, "expected recipe 4, found recipe 5 with profile `default`");
    check(|release| release.profile = "fancy".into(), "profile `fancy`");
}

#[test]
fn inconsistent_sizes_are_rejected() {
    check(|release| release.features = 5, "expected 4 values for the number of features, found 5");
    let role = RoleCalibration { kind: "process".into(), role: "web".into(), ..RoleCalibration::default() };
    check(
        |release| release.calibration.roles.push(role),
        "expected 1 values for the calibration of role `web`, found 0",
    );
}

#[test]
fn a_calibration_value_that_is_not_a_positive_number_is_rejected() {
    check(|release| release.calibration.threshold = f64::NAN, "for the threshold, found NaN");
    let role = RoleCalibration {
        role: "web".into(),
        centre: vec![0.0],
        spread: vec![0.0],
        residual_centre: vec![0.0],
        residual_spread: vec![1.0],
        ..RoleCalibration::default()
    };
    check(|release| release.calibration.roles.push(role), "the spread of role `web`, found 0");
}
