//! Filesystems that take no more writes after an error, and are listed as before. From Linux 6.12 on (commit d3476f3dad4a), and in the long-term
//! kernels that have taken that over, ext4 is not made read-only any more when it gives up, and it is listed as `emergency_ro` only from
//! 6.15 on. Between the two, what tells is that it has counted an error since it was first looked at.

use std::collections::BTreeMap;

use hostread::{
    Directory,
    parse::{self, mounts::Mount},
};

/// What such filesystems have counted, by device.
#[derive(Debug, Default)]
pub struct History {
    counted: BTreeMap<(u32, u32), Counted>,
}

#[derive(Debug)]
struct Counted {
    // Below the root directory.
    file: String,
    // Some may be left of an earlier mount.
    first: u64,
    latest: u64,
}

impl History {
    /// Counts the errors of a filesystem, if it is one that gives up after an error. `top` is the directory that paths begin at.
    pub fn read(&mut self, top: &Directory, mount: &Mount, buffer: &mut Vec<u8>) {
        if !mount.remounts_on_error {
            return;
        }
        let known = self.counted.get(&mount.device).map(|counted| counted.file.clone());
        let Some(file) = known.or_else(|| error_count_file(top, mount.device, buffer)) else { return };
        let text = top.read_page(&file, buffer).here();
        let Some(count) = text.and_then(|text| parse::number(text.trim_ascii())) else { return };
        self.counted.entry(mount.device).or_insert(Counted { file, first: count, latest: count }).latest = count;
    }

    /// Where it was read that a filesystem has given up, and what; none if it has not, as far as was seen.
    pub fn evidence(&self, device: (u32, u32)) -> Option<(String, String)> {
        let Counted { file, first, latest } = self.counted.get(&device)?;
        (latest > first)
            .then(|| (format!("/{file}"), format!("errors: {latest}, when it was first looked at: {first}")))
    }

    /// Forgets those that are not mounted any more: another may get the device.
    pub fn retain(&mut self, is_mounted: impl Fn(&(u32, u32)) -> bool) {
        self.counted.retain(|device, _| is_mounted(device));
    }
}

/// The file in which ext4 counts the errors of the filesystem on a device.
fn error_count_file(top: &Directory, (major, minor): (u32, u32), buffer: &mut Vec<u8>) -> Option<String> {
    let link = top.read_link(&format!("sys/dev/block/{major}:{minor}"), buffer).here()?;
    let name = parse::text(link.rsplit(|byte| *byte == b'/').next()?);
    Some(format!("sys/fs/ext4/{name}/errors_count"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use hostread::{Seen, Tape};

    use super::*;

    fn mount(options: &str) -> Mount {
        let line = format!("2 1 8:1 / /data rw - ext4 /dev/sda1 {options}\n");
        parse::mounts::parse_mountinfo(line.as_bytes()).next().unwrap()
    }

    #[test]
    fn an_error_that_is_counted_after_the_first_look_is_told() {
        let root = tempfile::tempdir().unwrap();
        let count = root.path().join("sys/fs/ext4/sda1/errors_count");
        fs::create_dir_all(count.parent().unwrap()).unwrap();
        fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
        std::os::unix::fs::symlink("../../devices/pci0/sda/sda1", root.path().join("sys/dev/block/8:1")).unwrap();
        let Seen::Here(top) = Directory::open(root.path(), &Tape::default()) else { panic!("it is there") };
        let (mut history, mut buffer) = (History::default(), Vec::new());
        let mut read = |options: &str, errors: &str| {
            fs::write(&count, errors).unwrap();
            history.read(&top, &mount(options), &mut buffer);
            history.evidence((8, 1))
        };
        assert_eq!(read("rw,errors=remount-ro", "2\n"), None, "of an earlier mount");
        assert_eq!(read("rw,errors=remount-ro", "2\n"), None);
        assert_eq!(read("rw,errors=continue", "3\n"), None, "one that goes on is not looked at");
        let (file, text) = read("rw,errors=remount-ro", "3\n").unwrap();
        assert_eq!(file, "/sys/fs/ext4/sda1/errors_count");
        assert_eq!(text, "errors: 3, when it was first looked at: 2");
        history.retain(|_| false);
        assert_eq!(history.evidence((8, 1)), None);
    }
}
