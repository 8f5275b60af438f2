//! Bytes in: reads below one `proc` root, relative to open directories.

mod file_info;
mod process_file;

use std::{
    borrow::Cow,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom, StatVfsMountFlags, StatxFlags},
    io::Errno,
};

use crate::{
    parse,
    seen::Seen,
    tape::{Tape, TapeValue},
};
pub use file_info::{FileInfo, FilesystemSpace};
pub use process_file::read_process_file;

/// Of no file is more than this read; `/proc/locks` of a very busy host has some megabytes.
const LARGEST_FILE: usize = 16 << 20;
const PAGE: usize = 4096;

/// An open directory below the root.
pub struct Directory {
    // None where a recording is played back.
    fd: Option<OwnedFd>,
    // Only for the tape, which tells by it what each name is relative to; empty where there is none.
    path: String,
    tape: Tape,
}

impl Directory {
    /// Opens a directory by its path.
    pub fn open(path: &Path, tape: &Tape) -> Seen<Directory> {
        open_directory(tape, "open", &path.to_string_lossy(), || {
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        })
    }

    /// The whole file `name`, in `buffer`, which is cleared first.
    pub fn read<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_prefix(name, LARGEST_FILE, buffer)
    }

    /// The file `name`, which the kernel hands over whole in one read if that is large enough, as it does those of one
    /// process; at most 4 KiB of it, in `buffer`, which is cleared first.
    pub fn read_page<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| {
            read_once(fd, name, buffer)?;
            buffer.truncate(PAGE);
            Ok(())
        })
    }

    /// The same, however long it is: where the first read has room to spare, it was the whole file.
    pub fn read_at_once<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| match read_once(fd, name, buffer)? {
            0 => {
                buffer.clear();
                read_into(fd, name, LARGEST_FILE, buffer)
            }
            _ => Ok(()),
        })
    }

    /// The first `limit` bytes of the file `name`, in `buffer`, which is cleared first.
    pub fn read_prefix<'b>(&self, name: &str, limit: usize, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| read_into(fd, name, limit, buffer))
    }

    /// Where the link `name` leads, in `buffer`, which is cleared first.
    pub fn read_link<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("link", name, buffer, |fd, buffer| {
            // A kernel path has at most a page, and the result would be cut, not refused.
            buffer.reserve(PAGE);
            rustix::fs::readlinkat_raw(fd, name, rustix::buffer::spare_capacity(buffer)).map(drop)
        })
    }

    /// The permission bits of the link `name` itself.
    pub fn link_mode(&self, name: &str) -> Seen<Mode> {
        let mode = self.value("link-mode", name, |fd| {
            let stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(u64::from(Mode::from_raw_mode(stat.st_mode).bits()))
        });
        mode.map(|bits| Mode::from_bits_truncate(u32::try_from(bits).unwrap_or(0)))
    }

    /// What the link `name` leads to. Asks no server: a dead NFS mount would hang the sweep.
    pub fn target_info(&self, name: &str) -> Seen<FileInfo> {
        self.value("target", name, |fd| {
            let wanted =
                StatxFlags::TYPE | StatxFlags::INO | StatxFlags::MNT_ID | StatxFlags::BLOCKS | StatxFlags::BTIME;
            let stat = rustix::fs::statx(fd, name, AtFlags::STATX_DONT_SYNC, wanted)?;
            let device = (stat.stx_dev_major, stat.stx_dev_minor);
            let tells = |what| StatxFlags::from_bits_retain(stat.stx_mask).contains(what);
            let mount = tells(StatxFlags::MNT_ID).then_some(stat.stx_mnt_id);
            // Whatever the blocks of the filesystem are, these are counted by 512 bytes.
            let allocated = stat.stx_blocks.saturating_mul(512);
            let made_at = tells(StatxFlags::BTIME).then(|| file_info::timestamp(&stat.stx_btime));
            Ok(FileInfo {
                device,
                inode: stat.stx_ino,
                mode: u32::from(stat.stx_mode),
                mount_id: mount,
                allocated_bytes: allocated,
                created_at: made_at,
            })
        })
    }

    /// The room on the filesystem that is mounted at `name`, if it is that on `device`; whichever it is if none is given.
    /// Only to be asked of what is on this machine: a server that does not answer would hang the sweep.
    pub fn filesystem_space(&self, name: &str, device: Option<(u32, u32)>) -> Seen<FilesystemSpace> {
        self.value("space", name, |fd| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(fd, name, flags, Mode::empty())?;
            let stat = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE)?;
            // Something else is mounted over it by now.
            if device.is_some_and(|device| device != (stat.stx_dev_major, stat.stx_dev_minor)) {
                return Err(Errno::NOENT);
            }
            let space = rustix::fs::fstatvfs(&file)?;
            Ok(FilesystemSpace {
                block_size: space.f_frsize,
                blocks: space.f_blocks,
                free_blocks: space.f_bfree,
                available_blocks: space.f_bavail,
                inodes: space.f_files,
                free_inodes: space.f_ffree,
                is_read_only: space.f_flag.contains(StatVfsMountFlags::RDONLY),
            })
        })
    }

    /// The directory `name` in this one.
    pub fn open_dir(&self, name: &str) -> Seen<Directory> {
        open_directory(&self.tape, "open", &self.tape_name(name), || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(self.fd()?, name, flags, Mode::empty())
        })
    }

    /// The directory `name` in this one, to go on from: it cannot be listed itself, and costs less.
    pub fn open_dir_for_lookup(&self, name: &str) -> Seen<Directory> {
        open_directory(&self.tape, "enter", &self.tape_name(name), || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(self.fd()?, name, flags, Mode::empty())
        })
    }

    /// How many files the process may have open whose directory this is and whose number is `pid`, by asking the kernel for it by that
    /// number and not by a file; `u64::MAX` if as many as it wants. Denied for processes of other users without `CAP_SYS_RESOURCE`.
    pub fn open_files_limit(&self, pid: u32) -> Seen<u64> {
        self.value("limit", "", |_| open_files_limit(pid))
    }

    /// Opens the file `name`, to be handed to somebody who is not asked through a tape himself.
    pub fn open_file(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(self.fd()?, name, flags, Mode::empty())?)
    }

    /// What the kernel gives as the size of this directory: of `/proc/PID/fd`, since Linux 6.2, how many descriptors there are.
    pub fn size(&self) -> Seen<u64> {
        self.value("size", "", |fd| {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
            Ok(rustix::fs::statx(fd, "", flags, StatxFlags::SIZE)?.stx_size)
        })
    }

    /// The numbers among the names in this directory, in the kernel's order. Each directory tells them once.
    pub fn numeric_names(&self) -> Seen<Vec<u32>> {
        self.value("numbers", "", numbers_in)
    }

    /// The name that a question has on the tape: the whole path, so that each can be asked again by itself.
    fn tape_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match (self.path.as_str(), name) {
            ("", name) => Cow::Borrowed(name),
            (path, "") => Cow::Owned(path.to_owned()),
            (path, name) => Cow::Owned(format!("{path}/{name}")),
        }
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.fd.as_ref().map(OwnedFd::as_fd).ok_or(Errno::BADF)
    }

    /// Asks for bytes about `name` in this directory, by this tape's word for the question.
    pub fn read_through_tape<'b>(
        &self,
        question: &str,
        name: &str,
        buffer: &'b mut Vec<u8>,
        ask: impl FnOnce(BorrowedFd<'_>, &mut Vec<u8>) -> Result<(), Errno>,
    ) -> Seen<&'b [u8]> {
        buffer.clear();
        let name = self.tape_name(name);
        let seen = self.tape.bytes(question, &name, buffer, |buffer| self.fd().and_then(|fd| ask(fd, buffer)).into());
        seen.map(|()| buffer.as_slice())
    }

    fn value<T: TapeValue>(
        &self,
        question: &str,
        name: &str,
        ask: impl FnOnce(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Seen<T> {
        self.tape.value(question, &self.tape_name(name), || self.fd().and_then(ask).into())
    }
}

fn open_directory(
    tape: &Tape,
    question: &str,
    name: &str,
    open: impl FnOnce() -> Result<OwnedFd, Errno>,
) -> Seen<Directory> {
    let mut fd = None;
    let opened = tape.value(question, name, || Seen::from(open()).map(|opened| fd = Some(opened)));
    let path = || if tape.is_live() { String::new() } else { name.to_owned() };
    opened.map(|()| Directory { fd, path: path(), tape: tape.clone() })
}

/// The first `limit` bytes of the file `name`, behind what `buffer` holds.
fn read_into(dir: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read_on(&file, limit, buffer)
}

fn read_on(file: &OwnedFd, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    while buffer.len() < limit {
        buffer.reserve(PAGE.min(limit - buffer.len()));
        match rustix::io::read(file, rustix::buffer::spare_capacity(buffer)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(limit);
    Ok(())
}

/// What one read gives, into the empty `buffer`; returns how much more would have fitted.
fn read_once(dir: BorrowedFd<'_>, name: &str, buffer: &mut Vec<u8>) -> Result<usize, Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.reserve(PAGE);
    rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(buffer)))?;
    Ok(buffer.capacity() - buffer.len())
}

fn open_files_limit(pid: u32) -> Result<u64, Errno> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::SRCH)?;
    // SAFETY: no new limit is given, and the old one is written to where there is room for it.
    let answer = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
    if answer == 0 { Ok(limit.rlim_cur) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// From the directory's beginning, wherever the look before ended.
fn numbers_in(dir: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    rustix::fs::seek(dir, SeekFrom::Start(0))?;
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
