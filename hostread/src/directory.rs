//! Reads relative to an open directory.

mod file_info;
mod process_file;

use std::{
    borrow::Cow,
    ffi::OsStr,
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

/// No more than this is read of a file, in bytes. `/proc/locks` of a very busy host has a few MB.
const MAX_FILE_SIZE: usize = 16 << 20;
const PAGE: usize = 4096;

/// An open directory. All reads go through its tape.
pub struct Directory {
    // `None` in a playback.
    fd: Option<OwnedFd>,
    // Identifies reads on the tape. Empty if the tape is live, which saves memory.
    path: String,
    tape: Tape,
}

impl Directory {
    /// Opens the directory at `path`.
    pub fn open(path: &Path, tape: &Tape) -> Seen<Directory> {
        open_directory(tape, "open", &parse::path_text(path), || {
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        })
    }

    /// Reads the whole file `name` into `buffer`, replacing its contents.
    pub fn read<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_prefix(name, MAX_FILE_SIZE, buffer)
    }

    /// Reads at most 4 KiB of the file `name` into `buffer`, with a single system call. The kernel
    /// returns the short files of a process whole.
    pub fn read_page<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| {
            read_once(fd, name, buffer)?;
            buffer.truncate(PAGE);
            Ok(())
        })
    }

    /// Reads the whole file `name` into `buffer`, with a single system call if it is smaller than
    /// the buffer. Only for files that the kernel returns whole if they fit, as those in
    /// `/proc/PID`.
    pub fn read_at_once<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| match read_once(fd, name, buffer)? {
            0 => {
                buffer.clear();
                read_into(fd, name, MAX_FILE_SIZE, buffer)
            }
            _ => Ok(()),
        })
    }

    /// Reads the first `limit` bytes of the file `name` into `buffer`.
    pub fn read_prefix<'b>(&self, name: &str, limit: usize, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("read", name, buffer, |fd, buffer| read_into(fd, name, limit, buffer))
    }

    /// Reads the target of the symbolic link `name` into `buffer`.
    pub fn read_link<'b>(&self, name: &str, buffer: &'b mut Vec<u8>) -> Seen<&'b [u8]> {
        self.read_through_tape("link", name, buffer, |fd, buffer| {
            // The kernel truncates a target silently. A path of its own has at most a page.
            buffer.reserve(PAGE);
            rustix::fs::readlinkat_raw(fd, name, rustix::buffer::spare_capacity(buffer)).map(drop)
        })
    }

    /// Permission bits of the symbolic link `name` itself.
    pub fn link_mode(&self, name: &str) -> Seen<Mode> {
        let mode = self.value("link-mode", name, |fd| {
            let stat = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(u64::from(Mode::from_raw_mode(stat.st_mode).bits()))
        });
        mode.map(|bits| Mode::from_bits_truncate(u32::try_from(bits).unwrap_or(0)))
    }

    /// Metadata of the file that the link `name` leads to. Uses what the kernel has cached: a
    /// request to a dead NFS server would hang the sweep.
    pub fn target_info(&self, name: &str) -> Seen<FileInfo> {
        self.value("target", name, |fd| {
            let wanted =
                StatxFlags::TYPE | StatxFlags::INO | StatxFlags::MNT_ID | StatxFlags::BLOCKS | StatxFlags::BTIME;
            let stat = rustix::fs::statx(fd, name, AtFlags::STATX_DONT_SYNC, wanted)?;
            let has = |field| StatxFlags::from_bits_retain(stat.stx_mask).contains(field);
            Ok(FileInfo {
                device: (stat.stx_dev_major, stat.stx_dev_minor),
                inode: stat.stx_ino,
                mode: u32::from(stat.stx_mode),
                mount_id: has(StatxFlags::MNT_ID).then_some(stat.stx_mnt_id),
                // In units of 512 bytes, whatever the block size of the filesystem.
                allocated_bytes: stat.stx_blocks.saturating_mul(512),
                created_at: has(StatxFlags::BTIME).then(|| file_info::timestamp(&stat.stx_btime)),
            })
        })
    }

    /// Size and free space of the filesystem that is mounted at `name`. `Gone` if `device` is given
    /// and another filesystem is mounted there by now.
    ///
    /// Only for local filesystems: a server that does not answer would hang the sweep.
    pub fn filesystem_space(&self, name: impl AsRef<OsStr>, device: Option<(u32, u32)>) -> Seen<FilesystemSpace> {
        let name = name.as_ref();
        self.value("space", &self.os_name(name), |fd| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(fd, name, flags, Mode::empty())?;
            let stat = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE)?;
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

    /// The tape that all reads go through.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Opens the directory `name` in this one.
    pub fn open_dir(&self, name: impl AsRef<OsStr>) -> Seen<Directory> {
        let name = name.as_ref();
        open_directory(&self.tape, "open", &self.tape_name(&self.os_name(name)), || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(self.fd()?, name, flags, Mode::empty())
        })
    }

    /// Opens the directory `name` in this one for reads of the files in it. It cannot be listed,
    /// but is cheaper to open.
    pub fn open_dir_for_lookup(&self, name: &str) -> Seen<Directory> {
        open_directory(&self.tape, "enter", &self.tape_name(name), || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(self.fd()?, name, flags, Mode::empty())
        })
    }

    /// Opens the file `name`. Reads of the file descriptor are not on the tape.
    ///
    /// # Errors
    /// That of the system call; in a playback always.
    pub fn open_file(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(self.fd()?, name, flags, Mode::empty())?)
    }

    /// Soft limit of open files of process `pid`, whose directory this is; `u64::MAX`: unlimited.
    /// Uses `prlimit`, which is cheaper than the file `limits`, but is denied for other users'
    /// processes without `CAP_SYS_RESOURCE`.
    pub fn open_files_limit(&self, pid: u32) -> Seen<u64> {
        self.value("limit", "", |_| open_files_limit(pid))
    }

    /// Size of this directory as `stat` reports it. For `/proc/PID/fd`, since Linux 6.2, it is the
    /// number of file descriptors.
    pub fn size(&self) -> Seen<u64> {
        self.value("size", "", |fd| {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
            Ok(rustix::fs::statx(fd, "", flags, StatxFlags::SIZE)?.stx_size)
        })
    }

    /// All names in this directory that are numbers, in the kernel's order.
    pub fn numeric_names(&self) -> Seen<Vec<u32>> {
        self.value("numbers", "", list_numbers)
    }

    /// Reads bytes about `name`, with any system call relative to this directory. `operation` and
    /// `name` identify the read on the tape.
    pub fn read_through_tape<'b>(
        &self,
        operation: &str,
        name: &str,
        buffer: &'b mut Vec<u8>,
        read: impl FnOnce(BorrowedFd<'_>, &mut Vec<u8>) -> Result<(), Errno>,
    ) -> Seen<&'b [u8]> {
        buffer.clear();
        let name = self.tape_name(name);
        let seen = self.tape.bytes(operation, &name, buffer, |buffer| self.fd().and_then(|fd| read(fd, buffer)).into());
        seen.map(|()| buffer.as_slice())
    }

    fn value<T: TapeValue>(
        &self,
        operation: &str,
        name: &str,
        read: impl FnOnce(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Seen<T> {
        self.tape.value(operation, &self.tape_name(name), || self.fd().and_then(read).into())
    }

    /// The full path of `name`, which identifies a read on the tape.
    fn tape_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match (self.path.as_str(), name) {
            ("", name) => Cow::Borrowed(name),
            (path, "") => Cow::Owned(path.to_owned()),
            (path, name) => Cow::Owned(format!("{path}/{name}")),
        }
    }

    /// A name as text that identifies a read on the tape. Empty if the tape is live, which saves
    /// time.
    fn os_name(&self, name: &OsStr) -> String {
        if self.tape.is_live() { String::new() } else { parse::path_text(name) }
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.fd.as_ref().map(OwnedFd::as_fd).ok_or(Errno::BADF)
    }
}

fn open_directory(
    tape: &Tape,
    operation: &str,
    name: &str,
    open: impl FnOnce() -> Result<OwnedFd, Errno>,
) -> Seen<Directory> {
    let mut fd = None;
    let opened = tape.value(operation, name, || Seen::from(open()).map(|opened| fd = Some(opened)));
    let path = || if tape.is_live() { String::new() } else { name.to_owned() };
    opened.map(|()| Directory { fd, path: path(), tape: tape.clone() })
}

/// Appends the first `limit` bytes of the file `name` to `buffer`.
fn read_into(dir: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read_to_limit(&file, limit, buffer)
}

fn read_to_limit(file: &OwnedFd, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
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

/// Reads once into the empty `buffer`. Returns how many more bytes would have fitted.
fn read_once(dir: BorrowedFd<'_>, name: &str, buffer: &mut Vec<u8>) -> Result<usize, Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.reserve(PAGE);
    rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(buffer)))?;
    Ok(buffer.capacity() - buffer.len())
}

fn open_files_limit(pid: u32) -> Result<u64, Errno> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::SRCH)?;
    // SAFETY: no new limit is set, and the old one is written to a local variable of its type.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
    if result == 0 { Ok(limit.rlim_cur) } else { Err(last_error()) }
}

pub(crate) fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

fn list_numbers(dir: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    // An earlier listing moved the position of the file descriptor.
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
