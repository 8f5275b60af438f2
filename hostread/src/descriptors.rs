//! File descriptors of this process: how many it may open, and which of its threads share them.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// Raises the soft limit of open files to the hard limit.
///
/// # Errors
/// Those of the system call.
pub fn raise_limit() -> Result<(), Errno> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
}

/// Gives the calling thread a descriptor table of its own, with the standard streams alone. The
/// limit of open files counts per table, so that no other thread can use up the descriptors of this
/// one. Threads that it starts share its table.
///
/// Descriptors of other threads are invalid in this one from then on, for instance those that wake
/// an asynchronous runtime.
///
/// # Errors
/// `NOSYS` before Linux 5.11; `PERM` if a sandbox forbids it.
pub fn use_own_table() -> Result<(), Errno> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: descriptors are closed in the copy of the table that the call makes for this thread.
    // All `OwnedFd` of other threads stay open in theirs.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if result == 0 { Ok(()) } else { Err(super::directory::last_error()) }
}
