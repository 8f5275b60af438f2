//! Folders for the files of one measurement.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::repository::target;

/// Creates an empty folder of this name below the target directory.
///
/// # Errors
/// If it cannot be emptied or created.
pub fn create(name: &str) -> anyhow::Result<PathBuf> {
    let folder = target().join(name);
    remove(&folder)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    Ok(folder)
}

/// Removes a folder and its files; a missing folder is fine.
///
/// # Errors
/// If it cannot be removed.
pub fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}
