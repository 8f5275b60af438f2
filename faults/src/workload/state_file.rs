//! Reads a workload's state file, and checks whose it is.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use anyhow::Context;
use rustix::{fs::OFlags, process::geteuid};
use service::Hint;

/// Name of the state file in the workload's folder.
pub const STATE_FILE: &str = "workload.json";

/// Reads the state file of the workload in a folder, and its owner; `None` if there is none.
pub fn read_state(folder: &Path) -> anyhow::Result<Option<(String, u32)>> {
    if let Ok(metadata) = folder.symlink_metadata() {
        check_owner(metadata.uid(), folder)?;
    }
    let path = folder.join(STATE_FILE);
    let cannot_read = || format!("cannot read `{}`", path.display());
    // The owner of the folder could put a link or a pipe there.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = match File::options().read(true).custom_flags(flags.bits() as i32).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(cannot_read)?,
    };
    let metadata = file.metadata().with_context(cannot_read)?;
    check_owner(metadata.uid(), &path)?;
    anyhow::ensure!(metadata.is_file(), "`{}` must be a regular file", path.display());
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(cannot_read)?;
    Ok(Some((text, metadata.uid())))
}

/// Checks that a workload is this user's. Any user can create a folder in `/tmp` and name in it
/// processes that faults must not touch.
fn check_owner(owner: u32, path: &Path) -> anyhow::Result<()> {
    let own = if is_own(owner) {
        Ok(())
    } else {
        Err(anyhow::anyhow!("the workload in `{}` belongs to another user", path.display()))
    };
    own.hint("run the fault as the user who started the workload")
}

fn is_own(owner: u32) -> bool {
    /// Uid of `nobody`, which runs the workload when root starts it.
    const WORKLOAD_UID: u32 = 65534;
    let user = geteuid();
    owner == user.as_raw() || (user.is_root() && owner == WORKLOAD_UID)
}

/// Whether the path exists and belongs to another user.
pub fn belongs_to_other_user(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !is_own(metadata.uid()))
}
