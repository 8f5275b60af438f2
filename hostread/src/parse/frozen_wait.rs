//! What tells that a task waits for a frozen filesystem to thaw: `/proc/PID/{wchan,stack}`, and the system call that it
//! is in.

use libc::c_long;

use super::{lines, syscall::Syscall, words};

/// What `wchan` says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsForThaw {
    /// It waits to be let write.
    Yes,
    /// It waits for something else, or not at all.
    No,
    /// The kernel does not say, or names a lock that has other uses too.
    Unclear,
}

/// Where tasks wait: from Linux 5.7 on, from 4.3 on, and before.
const THAW: [&[u8]; 3] = [b"percpu_rwsem_wait", b"__percpu_down_read", b"__sb_start_write"];
/// Below these the kernels from 4.3 to 5.6 wait.
const ANY_READER: [&[u8]; 3] = [b"call_rwsem_down_read_failed", b"rwsem_down_read_failed", b"rwsem_down_read_slowpath"];

/// Reads `wchan`.
pub fn parse_wchan(text: &[u8]) -> WaitsForThaw {
    let name = function(text.trim_ascii());
    if THAW.contains(&name) {
        return WaitsForThaw::Yes;
    }
    // Many kernels from 4.14 to 5.15 say `0` of every task.
    if name.is_empty() || name == b"0" || ANY_READER.contains(&name) { WaitsForThaw::Unclear } else { WaitsForThaw::No }
}

/// The frame of a `stack` in which the task waits to be let write, if it does.
pub fn find_thaw_frame(text: &[u8]) -> Option<&[u8]> {
    lines(text).filter_map(|line| words(line).last()).find(|frame| THAW.contains(&function(frame)))
}

/// A function's name without its offset, and without what a compiler adds to one that it has changed.
fn function(frame: &[u8]) -> &[u8] {
    frame.split(|byte| matches!(byte, b'+' | b'.')).next().unwrap_or(frame)
}

/// What a call that changes a filesystem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedFile {
    /// The open file or directory of that number.
    At(u32),
    /// A path that lies in the task's memory.
    Somewhere,
}

/// Calls whose first argument is the open file, or the directory that a path begins at.
const BY_FIRST: &[c_long] = &[
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_sendfile,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_ioctl,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fsetxattr,
    libc::SYS_fremovexattr,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_unlinkat,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
];
/// Calls whose third argument is.
const BY_THIRD: &[c_long] = &[libc::SYS_copy_file_range, libc::SYS_splice];
/// Calls with a path and no directory before it.
const BY_PATH: &[c_long] = &[
    libc::SYS_truncate,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_symlinkat,
];
/// Calls with a path that only older architectures have.
#[cfg(target_arch = "x86_64")]
const BY_PATH_OF_OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_unlink,
    libc::SYS_symlink,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const BY_PATH_OF_OLD: &[c_long] = &[];

/// What the call changes; none if it changes no filesystem.
pub fn changed_filesystem(call: &Syscall) -> Option<ChangedFile> {
    let number = c_long::try_from(call.number).ok()?;
    let [first, _, third, ..] = call.arguments;
    let at = |argument: u64| match i32::try_from(argument & 0xffff_ffff) {
        Ok(fd) => ChangedFile::At(fd.unsigned_abs()),
        // The directory that the task is in.
        Err(_) => ChangedFile::Somewhere,
    };
    if BY_FIRST.contains(&number) {
        Some(at(first))
    } else if BY_THIRD.contains(&number) {
        Some(at(third))
    } else {
        (BY_PATH.contains(&number) || BY_PATH_OF_OLD.contains(&number)).then_some(ChangedFile::Somewhere)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kernels_of_every_age_say_where_a_writer_waits() {
        for (text, verdict) in [
            ("percpu_rwsem_wait", WaitsForThaw::Yes),
            ("percpu_rwsem_wait.llvm.4711", WaitsForThaw::Yes),
            ("__percpu_down_read\n", WaitsForThaw::Yes),
            ("__sb_start_write", WaitsForThaw::Yes),
            ("rwsem_down_read_slowpath", WaitsForThaw::Unclear),
            ("0", WaitsForThaw::Unclear),
            ("", WaitsForThaw::Unclear),
            ("io_schedule", WaitsForThaw::No),
            ("percpu_rwsem_wait_not", WaitsForThaw::No),
        ] {
            assert_eq!(parse_wchan(text.as_bytes()), verdict, "{text}");
        }
    }

    #[test]
    fn a_stack_tells_what_a_common_lock_is_for() {
        let thaw = b"[<0>] rwsem_down_read_failed+0xf0/0x150\n[<0>] __percpu_down_read+0x56/0x80\n[<0>] __sb_start_write+0x6a/0x80\n";
        assert_eq!(find_thaw_frame(thaw), Some(b"__percpu_down_read+0x56/0x80".as_slice()));
        assert_eq!(find_thaw_frame(b"[<0>] rwsem_down_read_failed+0xf0/0x150\n[<0>] down_read+0x1c/0x30\n"), None);
        // As Linux before 4.15 wrote it.
        let old = b"[<ffffffff81206fc5>] __sb_start_write+0xa5/0x110\n[<ffffffffffffffff>] 0xffffffffffffffff\n";
        assert_eq!(find_thaw_frame(old), Some(b"__sb_start_write+0xa5/0x110".as_slice()));
    }

    #[test]
    fn a_call_changes_an_open_file_or_something_at_a_path_or_nothing() {
        let call = |number: c_long, arguments: [u64; 3]| {
            let [a, b, c] = arguments;
            changed_filesystem(&Syscall { number: u64::try_from(number).unwrap_or(0), arguments: [a, b, c, 0, 0, 0] })
        };
        assert_eq!(call(libc::SYS_write, [5, 0, 0]), Some(ChangedFile::At(5)));
        assert_eq!(call(libc::SYS_copy_file_range, [5, 0, 6]), Some(ChangedFile::At(6)));
        assert_eq!(call(libc::SYS_openat, [0xffff_ff9c, 0, 0]), Some(ChangedFile::Somewhere));
        assert_eq!(call(libc::SYS_openat, [u64::MAX - 99, 0, 0]), Some(ChangedFile::Somewhere));
        assert_eq!(call(libc::SYS_truncate, [5, 0, 0]), Some(ChangedFile::Somewhere));
        assert_eq!(call(libc::SYS_flock, [5, 2, 0]), None);
        assert_eq!(call(libc::SYS_clone, [5, 2, 0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_wchan(&text), find_thaw_frame(&text));
        }

        #[test]
        fn no_call_makes_it_panic(number in any::<u64>(), arguments in prop::array::uniform6(any::<u64>())) {
            let _ = changed_filesystem(&Syscall { number, arguments });
        }

        #[test]
        fn a_written_frame_reads_back(name in "[a-z_]{1,20}", offset in any::<u16>(), at in 0..3_usize) {
            let frame = format!("{name}+{offset:#x}/0xfff");
            prop_assert_eq!(function(frame.as_bytes()), name.as_bytes());
            let thaw = String::from_utf8_lossy(THAW[at]).into_owned();
            let text = format!("[<0>] {name}+0x1/0x2\n[<0>] {thaw}+{offset:#x}/0xfff\n");
            prop_assert!(find_thaw_frame(text.as_bytes()).is_some());
        }
    }
}
