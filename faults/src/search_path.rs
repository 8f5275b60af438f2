//! Where programs are found.

use std::{ffi::OsString, path::PathBuf};

/// The search path for programs: `PATH`, and the folders where Debian installs tools for root.
pub fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    std::env::join_paths(folders).unwrap_or(path)
}
