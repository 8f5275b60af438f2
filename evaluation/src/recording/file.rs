//! The file of a recording.

use std::{fs::File, path::Path};

use anyhow::Context;
use service::Hint;

/// Opens a file to read.
///
/// # Errors
/// If there is none, or it is no plain file.
pub fn open(path: &Path, hint: &str) -> anyhow::Result<File> {
    let name = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(name).hint(hint)?;
    if file.metadata().with_context(name)?.is_file() {
        return Ok(file);
    }
    Err(anyhow::anyhow!("expected a file to read, `{}` is none", path.display()))
        .hint("save what it gives to a file, and name that")
}
