//! Tests of `detective evaluate`.

mod corpus;
mod experiment;
mod invalid_cases;
mod json_lines;
mod recordings;

use std::{path::Path, process::Output};

use serde_json::Value;

use crate::processes::detective;

/// Runs `detective evaluate`, with few training epochs.
fn evaluate(folder: &Path, args: &[&str]) -> Output {
    let mut command = detective(&["evaluate", folder.to_str().unwrap()]);
    command.args(args).env("DETECTIVE__TRAINING__EPOCHS", "5").output().unwrap()
}

/// Runs `detective evaluate --json`, and parses standard output: one object, and nothing else.
#[track_caller]
fn evaluate_json(folder: &Path, args: &[&str]) -> Value {
    let output = evaluate(folder, &[&["--json"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn check_close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {found}"));
    assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
}

/// Whether a text is one SVG element with a title and a description, and all its tags are closed.
fn is_well_formed_svg(picture: &str) -> bool {
    let mut open = Vec::new();
    for tag in picture.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or((tag, ""));
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
    }
    open.is_empty() && picture.starts_with("<svg ") && picture.contains("<title ") && picture.contains("<desc ")
}
