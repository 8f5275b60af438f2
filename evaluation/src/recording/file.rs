//! Opens the file of a recording.

use std::{fs::File, path::Path};

use anyhow::Context;
use service::Hint;

/// Opens a file for reading.
///
/// # Errors
/// With `hint` if there is no such file. If it is not a regular file: a recording is read twice,
/// and a pipe cannot be.
pub fn open(path: &Path, hint: &str) -> anyhow::Result<File> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(cannot).hint(hint)?;
    if file.metadata().with_context(cannot)?.is_file() {
        return Ok(file);
    }
    Err(anyhow::anyhow!("expected a regular file, found something else at `{}`", path.display()))
        .hint("save its content to a file and name that file")
}
