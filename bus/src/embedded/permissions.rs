//! Keeps other users away from the files of the bus, which hold what only root may see of a host.

use std::{
    fs::{self, DirBuilder, File, Metadata, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::BusError;

/// Creates the data directory if it does not exist, for this user only, and resolves all links of
/// its path.
///
/// # Errors
/// If other users can replace files in it.
pub fn open_directory(directory: &Path) -> Result<PathBuf, BusError> {
    const OTHERS_WRITE: u32 = 0o002;
    let error = |source: io::Error| BusError::DataDirectory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(error)?;
    let resolved = directory.canonicalize().map_err(error)?;
    let metadata = resolved.metadata().map_err(error)?;
    // A directory of root with the group of this user is the volume of a container.
    if metadata.uid() != 0 {
        check_owner(directory, &metadata)?;
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(BusError::Untrusted { path: directory.to_owned(), problem: "is writable by all users" });
    }
    Ok(resolved)
}

/// Creates the database file if it does not exist, and makes it and SQLite's files beside it
/// accessible to this user only. SQLite gives the permissions of the database to files that it
/// creates.
///
/// # Errors
/// If one of them is a link, or belongs to another user.
pub fn restrict_files(database: &Path) -> Result<(), BusError> {
    // Closing a database file releases the locks of this process, so only a new one is opened.
    // SQLite reports a file that cannot be created.
    drop(File::options().write(true).create_new(true).mode(0o600).open(database));
    ["", "-wal", "-shm"].into_iter().try_for_each(|suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        restrict(Path::new(&path))
    })
}

fn restrict(path: &Path) -> Result<(), BusError> {
    const OWNER_ONLY: u32 = 0o600;
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    if metadata.is_symlink() {
        return Err(BusError::Untrusted { path: path.to_owned(), problem: "is a symbolic link" });
    }
    check_owner(path, &metadata)?;
    if !metadata.is_file() || metadata.mode() & 0o777 == OWNER_ONLY {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)) {
        // SQLite reports that it cannot write.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Ok(()),
        set => set.map_err(|source| BusError::DataDirectory { path: path.to_owned(), source }),
    }
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), BusError> {
    if metadata.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(BusError::Untrusted { path: path.to_owned(), problem: "belongs to another user" })
}
