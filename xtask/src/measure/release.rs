//! Builds release programs.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use crate::repository::{root, target};

/// Builds the selected packages and returns the folder of their programs.
///
/// # Errors
/// If the build fails.
pub fn build(selection: &[&str]) -> anyhow::Result<PathBuf> {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--quiet"]).args(selection).current_dir(root());
    let status = build.status().context("cannot run `cargo`")?;
    ensure!(status.success(), "the release build failed: {status}");
    Ok(target().join("release"))
}
