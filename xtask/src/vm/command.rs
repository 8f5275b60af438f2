//! Runs commands to their end.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Runs a command without input.
///
/// # Errors
/// If it cannot be run, or fails.
pub fn run_to_end(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run `{name}`"))?;
    ensure!(status.success(), "`{name}` ended with {status}");
    Ok(())
}
