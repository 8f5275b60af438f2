//! Reads a workload's state file, and checks whose it is.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::fs::OFlags;
use service::Hint;

use crate::{trusted_folder, user::User};

/// Name of the state file in the workload's folder.
pub const STATE_FILE: &str = "workload.json";

/// A state file, and where it was found.
pub struct StateFile {
    /// Content of the file. Its author is `user`, so it is not trusted.
    pub text: String,
    /// The workload's folder, with all links resolved.
    pub folder: PathBuf,
    /// Owner of the folder and of the file.
    pub user: User,
}

/// Reads the state file of the workload in a folder; `None` if there is none.
pub fn read_state(folder: &Path) -> anyhow::Result<Option<StateFile>> {
    let folder = match folder.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.with_context(|| format!("cannot find `{}`", folder.display()))?,
    };
    let metadata = folder.metadata().with_context(|| format!("cannot find `{}`", folder.display()))?;
    let owner = metadata.uid();
    let user = check_owner(owner, &folder)?;
    if user == User::Current {
        trusted_folder::resolve(&folder)?;
    }
    let text = user.run(|| read_file(&folder.join(STATE_FILE), owner))??;
    Ok(text.map(|text| StateFile { text, folder, user }))
}

fn read_file(path: &Path, owner: u32) -> anyhow::Result<Option<String>> {
    const MAX_BYTES: u64 = 1 << 20;
    let cannot_read = || format!("cannot read `{}`", path.display());
    // The owner of the folder could put a link or a pipe there.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags.bits() as i32).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(cannot_read)?,
    };
    let metadata = file.metadata().with_context(cannot_read)?;
    anyhow::ensure!(metadata.uid() == owner, "`{}` must belong to its folder's owner", path.display());
    anyhow::ensure!(metadata.is_file(), "`{}` must be a regular file", path.display());
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).with_context(cannot_read)?;
    Ok(Some(text))
}

/// Checks that a workload is this user's. Any user can create a folder in `/tmp` and name in it
/// processes that faults must not touch.
fn check_owner(owner: u32, path: &Path) -> anyhow::Result<User> {
    User::from_uid(owner)
        .with_context(|| format!("the workload in `{}` belongs to another user", path.display()))
        .hint("run the fault as the user who started the workload")
}

/// Whether the path exists and belongs to another user.
pub fn belongs_to_other_user(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| User::from_uid(metadata.uid()).is_none())
}
