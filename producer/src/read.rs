//! Bytes in: reads below one `proc` root, relative to open directories.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom, Statx, StatxFlags},
    io::Errno,
};

use crate::{ProducerError, parse};

/// What a read found. Processes exit between two reads, so `Gone` is an answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is there.
    Here(T),
    /// It was there before, or never.
    Gone,
    /// It takes more rights.
    Denied,
    /// This kernel or file system does not have it.
    Unsupported,
}

impl<T> Seen<T> {
    /// The value, if it is there.
    pub fn here(self) -> Option<T> {
        match self {
            Seen::Here(value) => Some(value),
            _ => None,
        }
    }

    /// The same answer about something made from the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        self.and_then(|value| Seen::Here(make(value)))
    }

    /// The answer to a second question that only a value raises.
    pub fn and_then<U>(self, ask: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Here(value) => ask(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
        }
    }

    /// A look at the value.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Seen::Here(value) => Seen::Here(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
        }
    }
}

impl<T> From<Result<T, Errno>> for Seen<T> {
    fn from(result: Result<T, Errno>) -> Self {
        match result {
            Ok(value) => Seen::Here(value),
            Err(Errno::NOENT | Errno::SRCH) => Seen::Gone,
            Err(Errno::ACCESS | Errno::PERM) => Seen::Denied,
            Err(_) => Seen::Unsupported,
        }
    }
}

/// Of no file is more than this read; `/proc/locks` of a very busy host has some megabytes.
const LARGEST_FILE: usize = 16 << 20;

/// An open directory below the root.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
}

impl Directory {
    /// The whole file `name`, in `buffer`, which is cleared first.
    pub fn read<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_at_most(name, LARGEST_FILE, buffer)
    }

    /// The file `name`, which the kernel hands over whole in one read if that is large enough, as it does those of one
    /// process; at most 4 KiB of it, in `buffer`, which is cleared first.
    pub fn read_small<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        buffer.clear();
        Seen::from(read_once(self.fd.as_fd(), name, buffer)).map(|()| buffer.as_slice())
    }

    /// The first `limit` bytes of the file `name`, in `buffer`, which is cleared first.
    pub fn read_at_most<'b>(&self, name: &str, limit: usize, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        buffer.clear();
        Seen::from(read_into(self.fd.as_fd(), name, limit, buffer)).map(|()| buffer.as_slice())
    }

    /// Where the link `name` leads, in `buffer`, which is cleared first.
    pub fn link<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        // A kernel path has at most a page, and the result would be cut, not refused.
        buffer.clear();
        buffer.resize(4096, 0);
        let length = rustix::fs::readlinkat_raw(&self.fd, name, buffer.as_mut_slice());
        Seen::from(length).map(|length| &buffer[..length])
    }

    /// The permission bits of the link `name` itself.
    pub fn link_mode(&self, name: &str) -> Seen<Mode> {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        Seen::from(stat).map(|stat| Mode::from_raw_mode(stat.st_mode))
    }

    /// What the link `name` leads to. Asks no server: a dead NFS mount would hang the sweep.
    pub fn target(&self, name: &str) -> Seen<Statx> {
        let wanted = StatxFlags::TYPE | StatxFlags::INO;
        Seen::from(rustix::fs::statx(&self.fd, name, AtFlags::STATX_DONT_SYNC, wanted))
    }

    /// The directory `name` in this one.
    pub fn directory(&self, name: &str) -> Seen<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Seen::from(rustix::fs::openat(&self.fd, name, flags, Mode::empty())).map(|fd| Directory { fd })
    }

    /// The numbers among the names in this directory, in the kernel's order. Each directory tells them once.
    pub fn numbers(&self) -> Seen<Vec<u32>> {
        Seen::from(numbers_in(self.fd.as_fd()))
    }
}

fn read_into(dir: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    while buffer.len() < limit {
        buffer.reserve(4096.min(limit - buffer.len()));
        match rustix::io::read(&file, rustix::buffer::spare_capacity(buffer)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(limit);
    Ok(())
}

fn read_once(dir: BorrowedFd<'_>, name: &str, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.reserve(4096);
    rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(buffer)))?;
    buffer.truncate(4096);
    Ok(())
}

fn numbers_in(dir: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry?;
        if let Some(number) = parse::number(name.file_name().to_bytes()).and_then(|number| number.try_into().ok()) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// A `proc` file system: this host's, another's that is mounted here, or a tree in a test.
#[derive(Debug)]
pub struct ProcRoot {
    /// The open root.
    pub directory: Directory,
    /// Its path, for messages.
    pub path: PathBuf,
}

impl ProcRoot {
    /// Opens a root and looks whether it is one.
    pub fn open(path: &Path) -> Result<ProcRoot, ProducerError> {
        let not_proc = |error: Errno| ProducerError::NotProc { path: path.to_owned(), source: io::Error::from(error) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(not_proc)?;
        for name in ["stat", "self"] {
            // `self` dangles where this process has no number in the root's PID namespace.
            rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(not_proc)?;
        }
        Ok(ProcRoot { directory: Directory { fd }, path: path.to_owned() })
    }

    /// Ids of all processes, in the kernel's order.
    pub fn pids(&self) -> Result<Vec<u32>, ProducerError> {
        let source = |error: Errno| ProducerError::Read { path: self.path.clone(), source: io::Error::from(error) };
        let root = self.directory.fd.as_fd();
        // The descriptor stays where the look before ended.
        rustix::fs::seek(root, SeekFrom::Start(0)).map_err(source)?;
        numbers_in(root).map_err(source)
    }
}
