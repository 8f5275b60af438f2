//! Error counts of filesystems that stop accepting writes after an error without being listed as
//! read-only. Since Linux 6.12 (commit d3476f3dad4a), and in the long-term kernels with a backport
//! of it, ext4 is no longer remounted read-only on an error. It is listed as `emergency_ro` only
//! since 6.15. In between, an error counted since the first sweep shows it.

use std::collections::BTreeMap;

use hostread::{
    Directory,
    parse::{self, mounts::Mount},
};

/// State kept between sweeps: error counts by device.
#[derive(Debug, Default)]
pub struct History {
    counted: BTreeMap<(u32, u32), Counted>,
}

#[derive(Debug)]
struct Counted {
    // Path relative to the root directory.
    file: String,
    // Errors of an earlier mount are counted too.
    first: u64,
    latest: u64,
}

impl History {
    /// Reads the error count of a filesystem, if its mount options say that it stops on errors.
    /// `top` is the directory that paths are relative to.
    pub fn read(&mut self, top: &Directory, mount: &Mount, buffer: &mut Vec<u8>) {
        if !mount.remounts_on_error() {
            return;
        }
        let known = self.counted.get(&mount.device).map(|counted| counted.file.clone());
        let Some(file) = known.or_else(|| error_count_file(top, mount.device, buffer)) else { return };
        let text = top.read_page(&file, buffer).here();
        let Some(count) = text.and_then(|text| parse::number(text.trim_ascii())) else { return };
        self.counted.entry(mount.device).or_insert(Counted { file, first: count, latest: count }).latest = count;
    }

    /// Returns the source and text of the error count if it has grown; else `None`.
    pub fn evidence(&self, device: (u32, u32)) -> Option<(String, String)> {
        let Counted { file, first, latest } = self.counted.get(&device)?;
        (latest > first).then(|| (format!("/{file}"), format!("errors: {latest}, in the first sweep: {first}")))
    }

    /// Removes filesystems that are no longer mounted, because their device number can be reused.
    pub fn retain(&mut self, is_mounted: impl Fn(&(u32, u32)) -> bool) {
        self.counted.retain(|device, _| is_mounted(device));
    }
}

/// Returns the path of the file with the error count of the ext4 filesystem on a device.
fn error_count_file(top: &Directory, (major, minor): (u32, u32), buffer: &mut Vec<u8>) -> Option<String> {
    let link = top.read_link(&format!("sys/dev/block/{major}:{minor}"), buffer).here()?;
    let name = parse::text(link.rsplit(|byte| *byte == b'/').next()?);
    Some(format!("sys/fs/ext4/{name}/errors_count"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hostread::{Seen, Tape};

    use super::*;

    fn mount(options: &str) -> Mount {
        let line = format!("2 1 8:1 / /data rw - ext4 /dev/sda1 {options}\n");
        parse::mounts::parse_mountinfo(line.as_bytes()).next().unwrap()
    }

    #[test]
    fn an_error_counted_after_the_first_sweep_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let count = root.path().join("sys/fs/ext4/sda1/errors_count");
        fs::create_dir_all(count.parent().unwrap()).unwrap();
        fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
        std::os::unix::fs::symlink("../../devices/pci0/sda/sda1", root.path().join("sys/dev/block/8:1")).unwrap();
        let Seen::Here(top) = Directory::open(root.path(), &Tape::default()) else { panic!("the directory exists") };
        let mut history = History::default();
        let mut buffer = Vec::new();
        let mut read = |options: &str, errors: &str| {
            fs::write(&count, errors).unwrap();
            history.read(&top, &mount(options), &mut buffer);
            history.evidence((8, 1))
        };
        assert_eq!(read("rw,errors=remount-ro", "2\n"), None, "errors of an earlier mount");
        assert_eq!(read("rw,errors=remount-ro", "2\n"), None);
        assert_eq!(read("rw,errors=continue", "3\n"), None, "a filesystem that continues after errors is not read");
        let (file, text) = read("rw,errors=remount-ro", "3\n").unwrap();
        assert_eq!(file, "/sys/fs/ext4/sda1/errors_count");
        assert_eq!(text, "errors: 3, in the first sweep: 2");
        history.retain(|_| false);
        assert_eq!(history.evidence((8, 1)), None);
    }
}
