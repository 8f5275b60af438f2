//! The file that a recording goes to.

use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;
use service::Hint;

/// A new file for its owner alone: it tells what runs here.
///
/// # Errors
/// If it is there already and may not be overwritten, or cannot be written.
pub fn create(path: &Path, may_overwrite: bool) -> anyhow::Result<File> {
    let cannot = || format!("cannot write `{}`", path.display());
    // Asked before it is opened: that of a pipe waits for a reader.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(anyhow::anyhow!("expected a file to write, `{}` is none", path.display()))
            .hint("name another file");
    }
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if may_overwrite {
        options.create(true).truncate(false);
    } else {
        options.create_new(true);
    }
    let file = match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(anyhow::anyhow!("`{}` is there already", path.display()))
                .hint("name another file, or overwrite it with `--force`");
        }
        opened => opened.with_context(cannot).hint("name a file in a directory that this user may write")?,
    };
    // One that is overwritten has had a mode of its own.
    file.set_permissions(Permissions::from_mode(0o600)).with_context(cannot)?;
    file.set_len(0).with_context(cannot)?;
    Ok(file)
}

/// Takes away what follows the whole blocks, and waits until the rest is stored.
pub fn end(file: &File, whole: u64) -> io::Result<()> {
    file.set_len(whole)?;
    file.sync_all()
}

/// Whether two paths lead to one file, or would.
pub fn are_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let absolute = |path: &Path| std::path::absolute(path).ok();
    absolute(one) == absolute(other) || identity(one).is_some_and(|one| Some(one) == identity(other))
}
