//! Cases whose answers are known, judged: the figures, the pictures, and what is said of cases that cannot be.

mod corpus;
mod lines;
mod played;
mod recordings;
mod refused;

use std::{path::Path, process::Output};

use serde_json::Value;

use crate::running::detective;

/// `detective evaluate`, with models that are trained for a moment only.
fn evaluate(folder: &Path, args: &[&str]) -> Output {
    let mut command = detective(&["evaluate", folder.to_str().unwrap()]);
    command.args(args).env("DETECTIVE__TRAINING__EPOCHS", "5").output().unwrap()
}

/// What it prints with `--json`: one object, and nothing else.
#[track_caller]
fn judged(folder: &Path, args: &[&str]) -> Value {
    let output = evaluate(folder, &[&["--json"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn check_close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {found}"));
    assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
}

/// Whether a text is one element with what belongs into it closed: all that a picture's reader asks for first.
fn is_well_formed(picture: &str) -> bool {
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
