//! `/proc/PID/mountinfo`: the mounts in a mount namespace.

use procfs::process::MountInfo;

use super::{lines, number, text};

/// A mount of a filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Mount id.
    pub id: u64,
    /// Major and minor number of the device. Major 0: no block device.
    pub device: (u32, u32),
    /// The directory of the filesystem that is mounted. `/`: all of it.
    pub root: String,
    /// Mount point, relative to the root of the process.
    pub path: String,
    /// Type of the filesystem, such as `ext4`.
    pub fs_type: String,
    /// Whether this mount allows writing (`rw`).
    pub is_writable: bool,
    /// Whether the filesystem itself is read-only for all mounts: by choice, or after an error.
    pub is_filesystem_read_only: bool,
    /// Whether the filesystem stops writing after an error (`errors=remount-ro`).
    pub remounts_on_error: bool,
    /// The line of `mountinfo`, for evidence.
    pub line: String,
}

/// Parses all mounts, in the kernel's order: a mount over another one comes after it.
pub fn parse_mountinfo(mountinfo: &[u8]) -> impl Iterator<Item = Mount> {
    lines(mountinfo).filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount> {
    // ext4 shows `emergency_ro` or `shutdown` after an error since Linux 6.15. Before, it showed
    // `ro`, or nothing (6.12 to 6.14).
    const READ_ONLY_OPTIONS: [&str; 3] = ["ro", "emergency_ro", "shutdown"];
    let line = text(line);
    let info = MountInfo::from_line(&line).ok()?;
    let (major, minor) = info.majmin.split_once(':')?;
    let number = |digits: &str| u32::try_from(number(digits.as_bytes())?).ok();
    Some(Mount {
        id: u64::try_from(info.mnt_id).ok()?,
        device: (number(major)?, number(minor)?),
        root: unescape(&info.root),
        path: unescape(info.mount_point.to_str()?),
        fs_type: info.fs_type,
        is_writable: info.mount_options.contains_key("rw"),
        remounts_on_error: info.super_options.get("errors").is_some_and(|what| what.as_deref() == Some("remount-ro")),
        is_filesystem_read_only: READ_ONLY_OPTIONS.iter().any(|option| info.super_options.contains_key(*option)),
        line,
    })
}

/// Decodes spaces, tabs, line ends and backslashes, which the kernel writes as a backslash and
/// three octal digits.
fn unescape(field: &str) -> String {
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
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<Mount> {
        parse_mountinfo(line.as_bytes()).next()
    }

    #[test]
    fn lines_with_and_without_optional_fields_are_parsed() {
        let plain = one("36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue").unwrap();
        assert_eq!((plain.id, plain.device, plain.root.as_str(), plain.path.as_str()), (36, (98, 0), "/mnt1", "/mnt2"));
        assert_eq!((plain.fs_type.as_str(), plain.is_writable, plain.is_filesystem_read_only), ("ext3", true, false));
        let shared = one("36 35 0:21 / /mnt2 ro shared:7 master:1 - tmpfs tmpfs rw").unwrap();
        assert_eq!((shared.device, shared.fs_type.as_str(), shared.is_writable), ((0, 21), "tmpfs", false));
    }

    #[test]
    fn a_filesystem_can_be_read_only_although_its_mount_is_not() {
        for options in ["ro,errors=remount-ro", "rw,emergency_ro", "rw,shutdown"] {
            let mount = one(&format!("36 35 98:0 / /data rw - ext4 /dev/sda {options}")).unwrap();
            assert_eq!((mount.is_writable, mount.is_filesystem_read_only), (true, true), "{options}");
        }
        let healthy = one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=remount-ro").unwrap();
        assert_eq!((healthy.is_filesystem_read_only, healthy.remounts_on_error), (false, true));
        assert!(!one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=continue").unwrap().remounts_on_error);
    }

    #[test]
    fn malformed_lines_are_skipped() {
        let text = b"nonsense\n36 x 98:0 / /a rw - ext4 /dev/sda rw\n\xff\n36 35 98:0 / /b rw - ext4 /dev/sda rw\n";
        let paths: Vec<String> = parse_mountinfo(text).map(|mount| mount.path).collect();
        assert_eq!(paths, ["/b"]);
    }

    #[test]
    fn only_escape_sequences_are_decoded() {
        assert_eq!(unescape("/a\\040b\\134c\\x\\9"), "/a b\\c\\x\\9");
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_mountinfo(&text).count();
        }

        #[test]
        fn malformed_lines_are_accepted(line in "[0-9]{1,3} [0-9]{1,3} [0-9:]{0,9} /[a-z\\\\0-9]{0,5} /[é\\\\0-9]{0,5} (rw|ro)?( shared:[0-9x]{0,3})?( -)? ?[a-z.]{0,5} ?[a-z]{0,3} ?(rw|ro)?") {
            let _ = parse_mountinfo(line.as_bytes()).count();
        }

        #[test]
        fn a_formatted_mount_is_parsed_back(device: (u32, u32), path in "/[a-zé \\\\\t]{0,12}", kind in "[a-z][a-z0-9.]{0,8}", writable: bool) {
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
