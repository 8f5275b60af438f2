//! Whether other users can replace what is in a folder.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::process::{getegid, geteuid};
use service::Hint;

/// Resolves all links of a folder's path, and checks that no user can replace the folder, a folder
/// above it, or a file of this user in it, but root, this user and members of its primary group.
///
/// # Errors
/// If there is no such folder, or another user can.
pub fn resolve(folder: &Path) -> anyhow::Result<PathBuf> {
    let resolved = folder.canonicalize().with_context(|| format!("cannot find `{}`", folder.display()))?;
    for each in resolved.ancestors() {
        let metadata = each.symlink_metadata().with_context(|| format!("cannot find `{}`", each.display()))?;
        let trusted = if is_trusted(&metadata) {
            Ok(())
        } else {
            Err(anyhow::anyhow!("other users can replace files in `{}`", each.display()))
        };
        trusted.hint("use a folder that belongs to you and that only you can write to, or one like `/tmp`")?;
    }
    Ok(resolved)
}

/// In a folder with the sticky bit, as `/tmp` has, users can replace only their own files.
fn is_trusted(folder: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    const GROUP_WRITE: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let mode = folder.mode();
    let is_owned = [0, geteuid().as_raw()].contains(&folder.uid());
    let is_group_trusted = mode & GROUP_WRITE == 0 || [0, getegid().as_raw()].contains(&folder.gid());
    is_owned && (mode & STICKY != 0 || (mode & OTHERS_WRITE == 0 && is_group_trusted))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{Permissions, set_permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    #[test]
    fn a_folder_below_one_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert!(resolve(&inner).is_ok());
        set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let error = resolve(&inner).unwrap_err().to_string();
        assert!(error.starts_with("other users can replace files in"), "{error}");
        set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(resolve(&inner).is_ok());
    }

    #[test]
    #[ignore = "needs root"]
    fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65534), None).unwrap();
        assert!(resolve(folder.path()).is_err());
    }
}
