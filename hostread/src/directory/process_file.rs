//! Reads files in `/proc/PID`, and files below the root of a process.
//!
//! The owner of the process controls the latter: their type and length are checked, and symbolic
//! links don't lead out of the root.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{read_into, read_to_limit};

/// Longer files below a process's root are not read, nor are files without a length, which belong
/// to the kernel.
const MAX_LENGTH: i64 = 256;

/// Appends the first `limit` bytes of the file `name` in a process's directory to `buffer`.
///
/// A name that starts with `root/` is resolved as the process itself would: symbolic links lead to
/// files below the process's root, never to files of this process.
///
/// # Errors
/// Those of the system calls. `NXIO` if a file below the root is not short and regular.
pub fn read_process_file(dir: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    match name.strip_prefix("root/") {
        Some(below) => read_below_root(dir, below, limit, buffer),
        None => read_into(dir, name, limit, buffer),
    }
}

/// Opening a device, a terminal or a file of the kernel can have side effects. So the file is
/// examined through an `O_PATH` descriptor, and opened only if it is a short regular file.
fn read_below_root(dir: BorrowedFd<'_>, below: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let root = rustix::fs::openat(dir, "root", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let examined = rustix::fs::openat2(root, below, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let stat = rustix::fs::fstat(&examined)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !(1..=MAX_LENGTH).contains(&stat.st_size) {
        return Err(Errno::NXIO);
    }
    // Through the descriptor, so that it is the file that was examined. Of this thread, because a
    // thread can have a descriptor table of its own.
    let path = format!("/proc/thread-self/fd/{}", examined.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    read_to_limit(&file, limit, buffer)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, path::Path};

    use super::*;

    fn read(directory: &Path, name: &str) -> Result<Vec<u8>, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(directory, flags, Mode::empty()).unwrap();
        let mut buffer = Vec::new();
        read_process_file(directory.as_fd(), name, 100, &mut buffer).map(|()| buffer)
    }

    #[test]
    fn links_below_the_root_of_a_process_do_not_lead_out_of_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(directory.path().join("secret"), "outside of the root").unwrap();
        std::fs::write(root.join("name"), "below the root").unwrap();
        symlink("/name", root.join("link")).unwrap();
        symlink("/../secret", root.join("above")).unwrap();
        symlink(directory.path().join("secret"), root.join("outside")).unwrap();
        assert_eq!(read(directory.path(), "root/link"), Ok(b"below the root".to_vec()));
        assert_eq!(read(directory.path(), "root/above"), Err(Errno::NOENT));
        assert_eq!(read(directory.path(), "root/outside"), Err(Errno::NOENT));
        assert_eq!(read(directory.path(), "secret"), Ok(b"outside of the root".to_vec()));
    }

    #[test]
    fn only_short_regular_files_below_the_root_are_opened() {
        let directory = tempfile::TempDir::new().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        std::fs::write(root.join("long"), [b'x'; 257]).unwrap();
        for name in ["root/pipe", "root/long"] {
            assert_eq!(read(directory.path(), name), Err(Errno::NXIO), "{name}");
        }
    }

    #[test]
    fn devices_and_kernel_files_below_the_root_are_not_opened() {
        let directory = tempfile::TempDir::new().unwrap();
        symlink("/", directory.path().join("root")).unwrap();
        for name in ["root/dev/null", "root/dev/zero", "root/proc/version", "root/proc"] {
            assert_eq!(read(directory.path(), name), Err(Errno::NXIO), "{name}");
        }
    }
}
