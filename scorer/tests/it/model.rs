//! What a release gets that is not sound.

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
fn a_corrupt_onnx_is_refused() {
    check(|_| {}, "cannot be read");
}

#[test]
fn a_file_of_another_checksum_is_refused() {
    check(|release| release.onnx[0] ^= 1, "has the SHA-256");
}

#[test]
fn a_release_of_another_recipe_is_refused() {
    check(|release| release.recipe += 1, "expects recipe 4 (`default`), this scorer encodes recipe 3");
    check(|release| release.profile = "fancy".into(), "(`fancy`)");
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    check(|release| release.features = 5, "has a number of features of 5, expected 4");
    let role = RoleCalibration { kind: "process".into(), role: "web".into(), ..RoleCalibration::default() };
    check(|release| release.calibration.roles.push(role), "a calibration list of role `web` of 0, expected 1");
}

#[test]
fn a_calibration_that_cannot_be_reckoned_with_is_refused() {
    check(|release| release.calibration.threshold = f64::NAN, "is calibrated with the threshold NaN");
    let role = RoleCalibration {
        role: "web".into(),
        centre: vec![0.0],
        spread: vec![0.0],
        residual_centre: vec![0.0],
        residual_spread: vec![1.0],
        ..RoleCalibration::default()
    };
    check(|release| release.calibration.roles.push(role), "the spread of role `web` 0");
}
