//! Renders the manual of all settings from their doc comments.

use std::process::Command;

use anyhow::{Context, bail};

use crate::repository::root;

/// Writes `docs/configuration.md`. A test of `detective` checks that the page is up to date.
///
/// # Errors
/// If the manual cannot be rendered or written.
pub fn run() -> anyhow::Result<()> {
    let command = ["run", "--quiet", "--locked", "--package", "detective", "--", "manual"];
    let output = Command::new("cargo").args(command).current_dir(root()).output().context("cannot run `cargo`")?;
    if !output.status.success() {
        bail!("`cargo {}` failed: {}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    let path = root().join("docs/configuration.md");
    std::fs::write(&path, output.stdout).with_context(|| format!("cannot write `{}`", path.display()))
}
