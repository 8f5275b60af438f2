//! Files of a process, and among them those that it has below a root of its own, where whoever owns the process decides what lies there.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{read_into, read_on};

/// What a process is told by the file that is read of it below its root is short; a file without a length is the kernel's.
const LONGEST: i64 = 256;

/// The first `limit` bytes of the file `name` in a process's directory, behind what `buffer` holds. A name that begins with `root/` is that
/// of a file as the process itself has it: its links lead to where they lead for the process, and not to this one's files.
pub fn read_process_file(dir: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    match name.strip_prefix("root/") {
        Some(below) => read_below_root(dir, below, limit, buffer),
        None => read_into(dir, name, limit, buffer),
    }
}

/// To open a device, a terminal or a file of the kernel's can do something by itself. So the file is looked at first, through a descriptor
/// that does not open it, and only a short plain one is opened.
fn read_below_root(dir: BorrowedFd<'_>, below: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let root = rustix::fs::openat(dir, "root", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = rustix::fs::openat2(root, below, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), within)?;
    let stat = rustix::fs::fstat(&found)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !(1..=LONGEST).contains(&stat.st_size) {
        return Err(Errno::NXIO);
    }
    // By the descriptor, so that it is the file that was looked at.
    let itself = format!("/proc/self/fd/{}", found.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, itself, flags, Mode::empty())?;
    read_on(&file, limit, buffer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{os::unix::fs::symlink, path::Path};

    use super::*;

    fn read(directory: &Path, name: &str) -> Result<Vec<u8>, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(directory, flags, Mode::empty()).unwrap();
        let mut buffer = Vec::new();
        read_process_file(directory.as_fd(), name, 100, &mut buffer).map(|()| buffer)
    }

    #[test]
    fn links_of_a_process_lead_to_its_own_files_and_not_out_of_its_root() {
        let directory = tempfile::TempDir::new().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(directory.path().join("secret"), "of somebody else").unwrap();
        std::fs::write(root.join("name"), "its own").unwrap();
        symlink("/name", root.join("link")).unwrap();
        symlink("/../secret", root.join("above")).unwrap();
        symlink(directory.path().join("secret"), root.join("outside")).unwrap();
        assert_eq!(read(directory.path(), "root/link"), Ok(b"its own".to_vec()));
        assert_eq!(read(directory.path(), "root/above"), Err(Errno::NOENT));
        assert_eq!(read(directory.path(), "root/outside"), Err(Errno::NOENT));
        assert_eq!(read(directory.path(), "secret"), Ok(b"of somebody else".to_vec()));
    }

    #[test]
    fn what_is_no_short_plain_file_is_not_opened() {
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
    fn neither_devices_nor_files_of_the_kernel_are_opened_for_a_process() {
        let directory = tempfile::TempDir::new().unwrap();
        symlink("/", directory.path().join("root")).unwrap();
        for name in ["root/dev/null", "root/dev/zero", "root/proc/version", "root/proc"] {
            assert_eq!(read(directory.path(), name), Err(Errno::NXIO), "{name}");
        }
    }
}
