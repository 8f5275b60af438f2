//! The file of a recording.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;
use service::Hint;

/// Mode of recordings: only the owner may read which processes run.
const MODE: u32 = 0o600;

/// Creates a file that only its owner may read.
///
/// # Errors
/// If it exists and `may_overwrite` is false, or it cannot be written.
pub fn create(path: &Path, may_overwrite: bool) -> anyhow::Result<File> {
    let cannot = || format!("cannot write `{}`", path.display());
    // Checked before opening, because opening a pipe waits for a reader.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(anyhow::anyhow!("expected a regular file, found something else at `{}`", path.display()))
            .hint("name another file");
    }
    let mut options = OpenOptions::new();
    options.write(true).mode(MODE);
    if may_overwrite {
        options.create(true).truncate(false);
    } else {
        options.create_new(true);
    }
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(anyhow::anyhow!("`{}` already exists", path.display()))
                .hint("name another file, or overwrite it with `--force`");
        }
        opened => opened.with_context(cannot).hint("name a file in a directory that this user may write")?,
    };
    // A file that is overwritten may have another mode.
    file.set_permissions(Permissions::from_mode(MODE)).with_context(cannot)?;
    file.set_len(0).with_context(cannot)?;
    Ok(file)
}

/// Truncates a file to its complete blocks, and syncs it.
pub fn finish(file: &File, complete_bytes: u64) -> io::Result<()> {
    file.set_len(complete_bytes)?;
    file.sync_all()
}

/// Whether two paths are the same file, or would be once both exist.
pub fn are_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let absolute = |path: &Path| std::path::absolute(path).ok();
    absolute(one) == absolute(other) || identity(one).is_some_and(|one| Some(one) == identity(other))
}
