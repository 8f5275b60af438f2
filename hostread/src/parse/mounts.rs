//! `/proc/PID/mountinfo`: the mounts in a mount namespace.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use super::{lines, number, text};

/// A mount of a filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Mount id.
    pub id: u64,
    /// Major and minor number of the device. Major 0: no block device.
    pub device: (u32, u32),
    /// The directory of the filesystem that is mounted. `/`: all of it.
    pub root: PathBuf,
    /// Mount point, relative to the root of the process.
    pub path: PathBuf,
    /// Type of the filesystem, such as `ext4`.
    pub fs_type: String,
    /// Whether this mount allows writing (`rw`).
    pub is_writable: bool,
    /// The line of `mountinfo` as text, for evidence.
    pub line: String,
    // Options of the filesystem, the same for all its mounts.
    super_options: Vec<u8>,
}

impl Mount {
    /// Whether the filesystem itself is read-only for all mounts: by choice, or after an error.
    pub fn is_filesystem_read_only(&self) -> bool {
        // ext4 shows `emergency_ro` or `shutdown` after an error since Linux 6.15. Before, it
        // showed `ro`, or nothing (6.12 to 6.14).
        options(&self.super_options).any(|option| matches!(option, b"ro" | b"emergency_ro" | b"shutdown"))
    }

    /// Whether the filesystem stops writing after an error (`errors=remount-ro`).
    pub fn remounts_on_error(&self) -> bool {
        self.super_option("errors") == Some(b"remount-ro")
    }

    /// The value of an option of the filesystem.
    pub fn super_option(&self, name: &str) -> Option<&[u8]> {
        options(&self.super_options).find_map(|option| option.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }
}

/// Parses all mounts, in the kernel's order: a mount over another one comes after it.
pub fn parse_mountinfo(mountinfo: &[u8]) -> impl Iterator<Item = Mount> {
    lines(mountinfo).filter_map(mount)
}

/// Parses a line such as `36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw`. The
/// paths are bytes.
fn mount(line: &[u8]) -> Option<Mount> {
    // The kernel writes spaces in fields as `\040`.
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    number(fields.next()?)?;
    let device = device(fields.next()?)?;
    let root = unescape(fields.next()?);
    let path = unescape(fields.next()?);
    let is_writable = options(fields.next()?).any(|option| option == b"rw");
    // Optional fields end with a dash.
    fields.find(|field| *field == b"-")?;
    let fs_type = text(fields.next()?);
    let super_options = fields.nth(1)?.to_vec();
    Some(Mount { id, device, root, path, fs_type, is_writable, line: text(line), super_options })
}

fn device(field: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = field.splitn(2, |byte| *byte == b':').map(|digits| u32::try_from(number(digits)?).ok());
    Some((numbers.next()??, numbers.next()??))
}

fn options(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
}

/// Decodes spaces, tabs, line ends and backslashes, which the kernel writes as a backslash and
/// three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut whole = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<3>().filter(|_| *first == b'\\').and_then(octal_byte);
        whole.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(OsString::from_vec(whole))
}

fn octal_byte(digits: &[u8; 3]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<Mount> {
        parse_mountinfo(line.as_bytes()).next()
    }

    #[test]
    fn lines_with_and_without_optional_fields_are_parsed() {
        let plain = one("36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue").unwrap();
        assert_eq!(
            (plain.id, plain.device, plain.root.clone(), plain.path.clone()),
            (36, (98, 0), "/mnt1".into(), "/mnt2".into())
        );
        assert_eq!((plain.fs_type.as_str(), plain.is_writable, plain.is_filesystem_read_only()), ("ext3", true, false));
        let shared = one("36 35 0:21 / /mnt2 ro shared:7 master:1 - tmpfs tmpfs rw").unwrap();
        assert_eq!((shared.device, shared.fs_type.as_str(), shared.is_writable), ((0, 21), "tmpfs", false));
    }

    #[test]
    fn a_filesystem_can_be_read_only_although_its_mount_is_not() {
        for options in ["ro,errors=remount-ro", "rw,emergency_ro", "rw,shutdown"] {
            let mount = one(&format!("36 35 98:0 / /data rw - ext4 /dev/sda {options}")).unwrap();
            assert_eq!((mount.is_writable, mount.is_filesystem_read_only()), (true, true), "{options}");
        }
        let healthy = one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=remount-ro").unwrap();
        assert_eq!((healthy.is_filesystem_read_only(), healthy.remounts_on_error()), (false, true));
        assert!(!one("36 35 98:0 / /data rw - ext4 /dev/sda rw,errors=continue").unwrap().remounts_on_error());
    }

    #[test]
    fn malformed_lines_are_skipped() {
        let text = b"nonsense\n36 x 98:0 / /a rw - ext4 /dev/sda rw\n\xff\n36 35 98:0 / /b rw - ext4 /dev/sda rw\n";
        let paths: Vec<PathBuf> = parse_mountinfo(text).map(|mount| mount.path).collect();
        assert_eq!(paths, [PathBuf::from("/b")]);
    }

    #[test]
    fn only_escape_sequences_are_decoded() {
        assert_eq!(unescape(b"/a\\040b\\134c\\x\\9"), PathBuf::from("/a b\\c\\x\\9"));
    }

    #[test]
    fn a_mount_point_can_have_any_bytes() {
        let mount = parse_mountinfo(b"36 35 0:9 / /da\\040ta\xc3\x28 rw - tmpfs tmpfs rw,size=24m\n").next().unwrap();
        assert_eq!(mount.path.as_os_str().as_bytes(), b"/da ta\xc3\x28");
        assert_eq!(mount.line, "36 35 0:9 / /da\\\\040ta\\xc3( rw - tmpfs tmpfs rw,size=24m");
        assert_eq!((mount.super_option("size"), mount.super_option("siz")), (Some(&b"24m"[..]), None));
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
            prop_assert_eq!((mount.device, &mount.path, &mount.fs_type), (device, &PathBuf::from(path), &kind));
            prop_assert_eq!((mount.is_writable, mount.is_filesystem_read_only()), (writable, !writable));
        }
    }
}
