//! `/proc/PID/mountinfo`.

use procfs::process::MountInfo;

use super::{lines, number, text};

/// A filesystem at one of the places where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mount's number.
    pub id: u64,
    /// Major and minor number; a major number of 0 means that no block device is behind it.
    pub device: (u32, u32),
    /// The part of the filesystem that is mounted; all of it is `/`.
    pub root: String,
    /// Where, in the eyes of the process.
    pub path: String,
    /// The filesystem's type.
    pub fs_type: String,
    /// Whether it may be written to through this mount.
    pub is_writable: bool,
    /// Whether the filesystem itself is not written to, whatever mounts say: on purpose, or because it failed.
    pub is_filesystem_read_only: bool,
    /// Whether it takes no more writes after an error of its own.
    pub remounts_on_error: bool,
    /// The line.
    pub line: String,
}

/// The mounts in the kernel's order: what is mounted over another comes after it.
pub fn parse_mountinfo(mountinfo: &[u8]) -> impl Iterator<Item = Mount> {
    lines(mountinfo).filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount> {
    // The words with which ext4 says that it has given up, from Linux 6.15 on. Before, it became `ro`, or nothing is said here.
    const GIVEN_UP: [&str; 3] = ["ro", "emergency_ro", "shutdown"];
    let line = text(line);
    let info = MountInfo::from_line(&line).ok()?;
    let (major, minor) = info.majmin.split_once(':')?;
    let number = |digits: &str| u32::try_from(number(digits.as_bytes())?).ok();
    Some(Mount {
        id: u64::try_from(info.mnt_id).ok()?,
        device: (number(major)?, number(minor)?),
        root: unescaped(&info.root),
        path: unescaped(info.mount_point.to_str()?),
        fs_type: info.fs_type,
        is_writable: info.mount_options.contains_key("rw"),
        remounts_on_error: info.super_options.get("errors").is_some_and(|what| what.as_deref() == Some("remount-ro")),
        is_filesystem_read_only: GIVEN_UP.iter().any(|word| info.super_options.contains_key(*word)),
        line,
    })
}

/// Space, tab, line end and backslash are written as a backslash and three octal digits.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        match escaped {
            Some(byte) => whole.push(char::from(byte)),
            None => whole.push('\\'),
        }
        whole.push_str(if escaped.is_some() { part.get(3..).unwrap_or_default() } else { part });
    }
    whole
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<Mount> {
        parse_mountinfo(line.as_bytes()).next()
    }

    #[test]
    fn a_line_with_and_without_optional_fields_is_read() {
        let plain = one("36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue").unwrap();
        assert_eq!((plain.id, plain.device, plain.root.as_str(), plain.path.as_str()), (36, (98, 0), "/mnt1", "/mnt2"));
        assert_eq!((plain.fs_type.as_str(), plain.is_writable, plain.is_filesystem_read_only), ("ext3", true, false));
        let shared = one("36 35 0:21 / /mnt2 ro shared:7 master:1 - tmpfs tmpfs rw").unwrap();
        assert_eq!((shared.device, shared.fs_type.as_str(), shared.is_writable), ((0, 21), "tmpfs", false));
    }

    #[test]
    fn a_filesystem_that_gave_up_is_read_only_although_its_mount_is_not() {
        for options in ["ro,errors=remount-ro", "rw,emergency_ro", "rw,shutdown"] {
            let mount = one(&format!("36 35 98:0 / /data rw - ext4 /dev/sda {options}")).unwrap();
            assert_eq!((mount.is_writable, mount.is_filesystem_read_only), (true, true), "{options}");
        }
        let well = one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=remount-ro").unwrap();
        assert_eq!((well.is_filesystem_read_only, well.remounts_on_error), (false, true));
        assert!(!one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=continue").unwrap().remounts_on_error);
    }

    #[test]
    fn a_line_that_is_none_does_not_hide_the_others() {
        let text = b"nonsense\n36 x 98:0 / /a rw - ext4 /dev/sda rw\n\xff\n36 35 98:0 / /b rw - ext4 /dev/sda rw\n";
        let paths: Vec<String> = parse_mountinfo(text).map(|mount| mount.path).collect();
        assert_eq!(paths, ["/b"]);
    }

    #[test]
    fn only_escapes_are_taken_for_such() {
        assert_eq!(unescaped("/a\\040b\\134c\\x\\9"), "/a b\\c\\x\\9");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_mountinfo(&text).count();
        }

        #[test]
        fn almost_a_line_does_not_panic(line in "[0-9]{1,3} [0-9]{1,3} [0-9:]{0,9} /[a-z\\\\0-9]{0,5} /[é\\\\0-9]{0,5} (rw|ro)?( shared:[0-9x]{0,3})?( -)? ?[a-z.]{0,5} ?[a-z]{0,3} ?(rw|ro)?") {
            let _ = parse_mountinfo(line.as_bytes()).count();
        }

        #[test]
        fn a_written_mount_reads_back(device: (u32, u32), path in "/[a-zé \\\\\t]{0,12}", kind in "[a-z][a-z0-9.]{0,8}", writable: bool) {
            let (major, minor) = device;
            let escaped: String = path.chars().map(|character| match character {
                ' ' | '\t' | '\\' => format!("\\{:03o}", u32::from(character)),
                _ => character.to_string(),
            }).collect();
            let word = if writable { "rw" } else { "ro" };
            let mount = one(&format!("7 1 {major}:{minor} / {escaped} {word},relatime shared:3 - {kind} /dev/x {word}\n"));
            let mount = mount.unwrap();
            prop_assert_eq!((mount.device, &mount.path, &mount.fs_type), (device, &path, &kind));
            prop_assert_eq!((mount.is_writable, mount.is_filesystem_read_only), (writable, !writable));
        }
    }
}
