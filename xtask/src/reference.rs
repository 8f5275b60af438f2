//! Pages of `docs/` that are rendered from the code.

use std::process::Command;

use anyhow::{Context, bail};

use crate::repository::root;

/// Writes `docs/configuration.md` and `docs/signals.md`. Tests of `detective` and `signals` check
/// that they are current.
///
/// # Errors
/// If a page cannot be rendered or written.
pub fn run() -> anyhow::Result<()> {
    render("docs/configuration.md", &["--package", "detective", "--", "manual"])?;
    render("docs/signals.md", &["--package", "signals", "--example", "manual"])
}

/// Writes a page that a program of the workspace prints.
fn render(page: &str, program: &[&str]) -> anyhow::Result<()> {
    let command = [&["run", "--quiet", "--locked"], program].concat();
    let output = Command::new("cargo").args(&command).current_dir(root()).output().context("cannot run `cargo`")?;
    if !output.status.success() {
        bail!("`cargo {}` failed: {}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    let path = root().join(page);
    std::fs::write(&path, output.stdout).with_context(|| format!("cannot write `{}`", path.display()))
}
