//! Signs that a task waits for a frozen filesystem to thaw: the function in which it sleeps, from
//! `/proc/PID/{wchan,stack}`, and its system call.

use libc::c_long;

use super::{lines, syscall::Syscall, words};

/// Whether a task waits for a frozen filesystem, judged by its `wchan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsForThaw {
    /// It waits for write access to a filesystem.
    Yes,
    /// It waits for something else, or runs.
    No,
    /// The kernel hides the function, or it has other uses too.
    Unclear,
}

/// Functions in which tasks wait for write access: since Linux 5.7, since 4.3, and before.
const THAW_FUNCTIONS: [&[u8]; 3] = [b"percpu_rwsem_wait", b"__percpu_down_read", b"__sb_start_write"];
/// Functions of read locks in general. Linux 4.3 to 5.6 sleep in them below a function of
/// [`THAW_FUNCTIONS`].
const READ_LOCK_FUNCTIONS: [&[u8]; 3] =
    [b"call_rwsem_down_read_failed", b"rwsem_down_read_failed", b"rwsem_down_read_slowpath"];

/// Parses `wchan`, the name of the kernel function in which a task sleeps.
pub fn parse_wchan(text: &[u8]) -> WaitsForThaw {
    let name = function_name(text.trim_ascii());
    if THAW_FUNCTIONS.contains(&name) {
        return WaitsForThaw::Yes;
    }
    // Many kernels from 4.14 to 5.15 write `0` for every task.
    if name.is_empty() || name == b"0" || READ_LOCK_FUNCTIONS.contains(&name) {
        WaitsForThaw::Unclear
    } else {
        WaitsForThaw::No
    }
}

/// Finds the frame of a `stack` in which the task waits for write access to a filesystem.
pub fn find_thaw_frame(text: &[u8]) -> Option<&[u8]> {
    lines(text).filter_map(|line| words(line).last()).find(|frame| THAW_FUNCTIONS.contains(&function_name(frame)))
}

/// Name of a function without its offset, and without a suffix of the compiler such as `.isra.0`.
fn function_name(frame: &[u8]) -> &[u8] {
    frame.split(|byte| matches!(byte, b'+' | b'.')).next().unwrap_or(frame)
}

/// The file that a system call changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedFile {
    /// The file, or a file below the directory, of this file descriptor.
    Descriptor(u32),
    /// A file whose path is in the memory of the task.
    Path,
}

/// Calls whose first argument is the file descriptor of a file, or of the directory that a path is
/// relative to.
const BY_FIRST_ARGUMENT: &[c_long] = &[
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
/// Calls whose third argument is the file descriptor.
const BY_THIRD_ARGUMENT: &[c_long] = &[libc::SYS_copy_file_range, libc::SYS_splice];
/// Calls with a path and no directory.
const BY_PATH: &[c_long] = &[
    libc::SYS_truncate,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_symlinkat,
];
/// Calls with a path that newer architectures lack.
#[cfg(target_arch = "x86_64")]
const BY_PATH_LEGACY: &[c_long] = &[
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
const BY_PATH_LEGACY: &[c_long] = &[];

/// The file that a system call changes. `None` if the call changes no filesystem.
pub fn changed_filesystem(call: &Syscall) -> Option<ChangedFile> {
    let number = c_long::try_from(call.number).ok()?;
    let [first, _, third, ..] = call.arguments;
    let by_descriptor = |argument: u64| match i32::try_from(argument & 0xffff_ffff) {
        Ok(fd) => ChangedFile::Descriptor(fd.unsigned_abs()),
        // AT_FDCWD: relative to the working directory.
        Err(_) => ChangedFile::Path,
    };
    if BY_FIRST_ARGUMENT.contains(&number) {
        Some(by_descriptor(first))
    } else if BY_THIRD_ARGUMENT.contains(&number) {
        Some(by_descriptor(third))
    } else {
        (BY_PATH.contains(&number) || BY_PATH_LEGACY.contains(&number)).then_some(ChangedFile::Path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_for_write_access_are_found_on_all_kernel_versions() {
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
    fn the_stack_shows_whether_a_read_lock_is_for_write_access() {
        let thaw = b"[<0>] rwsem_down_read_failed+0xf0/0x150\n[<0>] __percpu_down_read+0x56/0x80\n[<0>] __sb_start_write+0x6a/0x80\n";
        assert_eq!(find_thaw_frame(thaw), Some(b"__percpu_down_read+0x56/0x80".as_slice()));
        assert_eq!(find_thaw_frame(b"[<0>] rwsem_down_read_failed+0xf0/0x150\n[<0>] down_read+0x1c/0x30\n"), None);
        // The form before Linux 4.15.
        let old = b"[<ffffffff81206fc5>] __sb_start_write+0xa5/0x110\n[<ffffffffffffffff>] 0xffffffffffffffff\n";
        assert_eq!(find_thaw_frame(old), Some(b"__sb_start_write+0xa5/0x110".as_slice()));
    }

    #[test]
    fn a_call_changes_a_file_by_descriptor_or_by_path_or_none() {
        let call = |number: c_long, arguments: [u64; 3]| {
            let [a, b, c] = arguments;
            changed_filesystem(&Syscall { number: u64::try_from(number).unwrap_or(0), arguments: [a, b, c, 0, 0, 0] })
        };
        assert_eq!(call(libc::SYS_write, [5, 0, 0]), Some(ChangedFile::Descriptor(5)));
        assert_eq!(call(libc::SYS_copy_file_range, [5, 0, 6]), Some(ChangedFile::Descriptor(6)));
        assert_eq!(call(libc::SYS_openat, [0xffff_ff9c, 0, 0]), Some(ChangedFile::Path));
        assert_eq!(call(libc::SYS_openat, [u64::MAX - 99, 0, 0]), Some(ChangedFile::Path));
        assert_eq!(call(libc::SYS_truncate, [5, 0, 0]), Some(ChangedFile::Path));
        assert_eq!(call(libc::SYS_flock, [5, 2, 0]), None);
        assert_eq!(call(libc::SYS_clone, [5, 2, 0]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_wchan(&text), find_thaw_frame(&text));
        }

        #[test]
        fn any_call_is_accepted(number in any::<u64>(), arguments in prop::array::uniform6(any::<u64>())) {
            let _ = changed_filesystem(&Syscall { number, arguments });
        }

        #[test]
        fn a_formatted_frame_is_parsed_back(name in "[a-z_]{1,20}", offset in any::<u16>(), at in 0..3_usize) {
            let frame = format!("{name}+{offset:#x}/0xfff");
            prop_assert_eq!(function_name(frame.as_bytes()), name.as_bytes());
            let thaw = String::from_utf8_lossy(THAW_FUNCTIONS[at]).into_owned();
            let text = format!("[<0>] {name}+0x1/0x2\n[<0>] {thaw}+{offset:#x}/0xfff\n");
            prop_assert!(find_thaw_frame(text.as_bytes()).is_some());
        }
    }
}
