//! The local filesystems among all mounts, and where each is mounted.

use std::{collections::BTreeMap, path::Path};

use crate::parse::mounts::Mount;

/// The filesystems whose contents are on a disk or in memory of this machine.
#[derive(Debug, Default)]
pub struct LocalMounts {
    /// Each local filesystem by its device number, with the mount that shows most of it.
    pub local: BTreeMap<(u32, u32), Mount>,
    // By mount id. The device number in `mountinfo` can differ from that in `stat`.
    devices: BTreeMap<u64, (u32, u32)>,
}

impl LocalMounts {
    /// Selects the local filesystems, and those of their mounts whose paths do not lead through a
    /// filesystem that can hang.
    pub fn from_mounts(mounts: impl Iterator<Item = Mount>) -> LocalMounts {
        let mounts: Vec<Mount> = mounts.collect();
        let devices = mounts.iter().map(|mount| (mount.id, mount.device)).collect();
        // The latest mount at a path hides the earlier ones.
        let on_top: BTreeMap<&Path, &Mount> = mounts.iter().map(|mount| (mount.path.as_path(), mount)).collect();
        let is_reachable =
            |mount: &Mount| !parent_paths(&mount.path).any(|path| on_top.get(path).is_some_and(|it| can_hang(it)));
        let mut local = BTreeMap::<(u32, u32), Mount>::new();
        for mount in on_top.values().filter(|mount| is_local(mount) && is_reachable(mount)) {
            let known = local.entry(mount.device).or_insert_with(|| (*mount).clone());
            let rank = |mount: &Mount| (mount.root != Path::new("/"), mount.path.as_os_str().len());
            if rank(mount) < rank(known) {
                known.clone_from(mount);
            }
        }
        LocalMounts { local, devices }
    }

    /// Device number, as in `mountinfo`, of the filesystem that a file is on, from the device
    /// number and the mount id that `statx` returns for the file.
    #[inline]
    pub fn filesystem_of(&self, device: (u32, u32), mount_id: Option<u64>) -> Option<(u32, u32)> {
        let by_mount = || mount_id.and_then(|id| self.devices.get(&id).copied());
        Some(device).filter(|device| self.local.contains_key(device)).or_else(by_mount)
    }
}

/// Device number that `statx` returns for the mount point. `None` if it differs from that in
/// `mountinfo`, as on btrfs.
pub fn mount_point_device(mount: &Mount) -> Option<(u32, u32)> {
    (mount.fs_type != "btrfs").then_some(mount.device)
}

/// Whether the filesystem's contents are on a disk or in memory of this machine. All others belong
/// to a server, a program or the kernel; requests to a server or a program may hang.
fn is_local(mount: &Mount) -> bool {
    const WITHOUT_DEVICE: [&str; 6] = ["bcachefs", "btrfs", "overlay", "tmpfs", "ubifs", "zfs"];
    const SHARED_DISK: [&str; 2] = ["gfs2", "ocfs2"];
    let kind = mount.fs_type.as_str();
    let (major, _) = mount.device;
    if major == 0 { WITHOUT_DEVICE.contains(&kind) } else { !kind.starts_with("fuse") && !SHARED_DISK.contains(&kind) }
}

/// Whether resolving a path through the mount can hang. Lists the filesystems of the kernel that
/// others are mounted on.
fn can_hang(mount: &Mount) -> bool {
    const KERNEL_FILESYSTEMS: [&str; 11] = [
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devtmpfs",
        "proc",
        "ramfs",
        "rootfs",
        "securityfs",
        "sysfs",
    ];
    !is_local(mount) && !KERNEL_FILESYSTEMS.contains(&mount.fs_type.as_str())
}

/// The paths of all parent directories except the root: if the root hangs, all paths do.
fn parent_paths(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).filter(|path| path.parent().is_some())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::parse;

    fn local_paths(mountinfo: &str) -> Vec<PathBuf> {
        LocalMounts::from_mounts(parse::mounts::parse_mountinfo(mountinfo.as_bytes()))
            .local
            .into_values()
            .map(|mount| mount.path)
            .collect()
    }

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn only_filesystems_of_this_machine_are_local() {
        let mounts = "\
            1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
            2 1 0:5 / /proc rw - proc proc rw\n\
            3 1 0:6 / /dev rw - devtmpfs devtmpfs rw\n\
            4 3 0:7 / /dev/shm rw - tmpfs tmpfs rw\n\
            5 1 0:40 / /home rw - nfs4 server:/home rw\n\
            6 1 0:41 / /share rw - cifs //server/share rw\n\
            7 1 0:42 / /remote rw - fuse.sshfs me@server: rw\n\
            8 1 8:17 / /stick rw - fuseblk /dev/sdb1 rw\n\
            9 1 0:43 / /auto rw - autofs systemd-1 rw\n\
            10 1 0:44 / /pool rw - zfs pool rw\n";
        assert_eq!(local_paths(mounts), paths(&["/dev/shm", "/pool", "/"]));
    }

    #[test]
    fn mounts_below_a_remote_filesystem_are_left_out_unless_it_is_the_root() {
        let mounts = "\
            1 0 0:9 / / rw - virtiofs root rw\n\
            2 1 0:40 / /net rw - nfs4 server:/home rw\n\
            3 2 8:1 / /net/scratch rw - ext4 /dev/sda1 rw\n\
            4 1 8:2 / /network rw - ext4 /dev/sda2 rw\n";
        assert_eq!(local_paths(mounts), paths(&["/network"]));
    }

    #[test]
    fn each_filesystem_has_the_mount_that_shows_most_of_it() {
        let mounts = "\
            1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
            2 1 8:2 /a /etc rw - ext4 /dev/sda2 rw\n\
            3 1 8:2 / /srv/data rw - ext4 /dev/sda2 rw\n\
            4 1 8:2 / /data rw - ext4 /dev/sda2 rw\n\
            5 1 8:3 / /mnt rw - ext4 /dev/sda3 rw\n\
            6 5 8:4 / /mnt rw - ext4 /dev/sda4 rw\n";
        assert_eq!(local_paths(mounts), paths(&["/", "/data", "/mnt"]));
    }

    #[test]
    fn the_mount_id_identifies_the_filesystem_of_a_file_with_another_device_number() {
        let text = "7 0 8:1 / / rw - ext4 /dev/sda1 rw\n8 7 0:30 / /data rw - btrfs /dev/sdb rw\n9 7 0:40 / /home rw - nfs4 s:/ rw\n";
        let mounts = LocalMounts::from_mounts(parse::mounts::parse_mountinfo(text.as_bytes()));
        assert_eq!(mounts.filesystem_of((8, 1), None), Some((8, 1)));
        assert_eq!(mounts.filesystem_of((0, 41), Some(8)), Some((0, 30)));
        assert_eq!((mounts.filesystem_of((0, 41), None), mounts.filesystem_of((0, 41), Some(99))), (None, None));
        // A remote filesystem is recognised, but it is not local.
        assert_eq!(mounts.filesystem_of((0, 40), Some(9)), Some((0, 40)));
        assert!(!mounts.local.contains_key(&(0, 40)));
    }
}
