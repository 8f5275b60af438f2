//! Which filesystems are on this machine, and where each is reached.

use std::collections::BTreeMap;

use crate::parse::mounts::Mount;

/// The filesystems of this machine.
#[derive(Debug, Default)]
pub struct LocalMounts {
    /// By device, each with the mount that shows most of it.
    pub local: BTreeMap<(u32, u32), Mount>,
    // The device in the list is not always the one that `stat` tells of a file.
    devices: BTreeMap<u64, (u32, u32)>,
}

impl LocalMounts {
    /// The local ones of all that is mounted.
    pub fn from_mounts(mounts: impl Iterator<Item = Mount>) -> LocalMounts {
        let mounts: Vec<Mount> = mounts.collect();
        let devices = mounts.iter().map(|mount| (mount.id, mount.device)).collect();
        // What is mounted over another hides it.
        let on_top: BTreeMap<&str, &Mount> = mounts.iter().map(|mount| (mount.path.as_str(), mount)).collect();
        let is_reached =
            |mount: &Mount| !above(&mount.path).any(|path| on_top.get(path).is_some_and(|it| can_hang(it)));
        let mut local = BTreeMap::<(u32, u32), Mount>::new();
        for mount in on_top.values().filter(|mount| is_local(mount) && is_reached(mount)) {
            let known = local.entry(mount.device).or_insert_with(|| (*mount).clone());
            let rank = |mount: &Mount| (mount.root != "/", mount.path.len());
            if rank(mount) < rank(known) {
                known.clone_from(mount);
            }
        }
        LocalMounts { local, devices }
    }

    /// The device of the local filesystem that a file is on, from what `stat` tells of it.
    #[inline]
    pub fn filesystem_of(&self, device: (u32, u32), mount: Option<u64>) -> Option<(u32, u32)> {
        let of_mount = || mount.and_then(|mount| self.devices.get(&mount).copied());
        Some(device).filter(|device| self.local.contains_key(device)).or_else(of_mount)
    }
}

/// The device that its mount point must have; of some that differs from the listed one.
pub fn mount_point_device(mount: &Mount) -> Option<(u32, u32)> {
    (mount.fs_type != "btrfs").then_some(mount.device)
}

/// Whether it has contents of its own on a disk or in memory of this machine. Everything else is a server's, a
/// program's, or the kernel's, and has no room to speak of; a server's or a program's may never answer.
fn is_local(mount: &Mount) -> bool {
    const WITHOUT_DEVICE: [&str; 6] = ["bcachefs", "btrfs", "overlay", "tmpfs", "ubifs", "zfs"];
    const SHARED_DISK: [&str; 2] = ["gfs2", "ocfs2"];
    let kind = mount.fs_type.as_str();
    let (major, _) = mount.device;
    if major == 0 { WITHOUT_DEVICE.contains(&kind) } else { !kind.starts_with("fuse") && !SHARED_DISK.contains(&kind) }
}

/// Whether so much as a step through it can hang. Of the kernel's own filesystems, others are mounted on these alone.
fn can_hang(mount: &Mount) -> bool {
    const OF_KERNEL: [&str; 11] = [
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
    !is_local(mount) && !OF_KERNEL.contains(&mount.fs_type.as_str())
}

/// The paths above that one, but for the root: where that hangs, everything does.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn reached(mountinfo: &str) -> Vec<String> {
        LocalMounts::from_mounts(parse::mounts::parse_mountinfo(mountinfo.as_bytes()))
            .local
            .into_values()
            .map(|mount| mount.path)
            .collect()
    }

    #[test]
    fn what_is_on_this_machine_is_asked_and_nothing_else() {
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
        assert_eq!(reached(mounts), ["/dev/shm", "/pool", "/"]);
    }

    #[test]
    fn no_way_leads_through_a_server_unless_all_do() {
        let mounts = "\
            1 0 0:9 / / rw - virtiofs root rw\n\
            2 1 0:40 / /net rw - nfs4 server:/home rw\n\
            3 2 8:1 / /net/scratch rw - ext4 /dev/sda1 rw\n\
            4 1 8:2 / /network rw - ext4 /dev/sda2 rw\n";
        assert_eq!(reached(mounts), ["/network"]);
    }

    #[test]
    fn the_mount_that_shows_most_of_a_filesystem_stands_for_it() {
        let mounts = "\
            1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
            2 1 8:2 /a /etc rw - ext4 /dev/sda2 rw\n\
            3 1 8:2 / /srv/data rw - ext4 /dev/sda2 rw\n\
            4 1 8:2 / /data rw - ext4 /dev/sda2 rw\n\
            5 1 8:3 / /mnt rw - ext4 /dev/sda3 rw\n\
            6 5 8:4 / /mnt rw - ext4 /dev/sda4 rw\n";
        assert_eq!(reached(mounts), ["/", "/data", "/mnt"]);
    }

    #[test]
    fn a_file_with_a_device_of_its_own_is_where_its_mount_is() {
        let text = "7 0 8:1 / / rw - ext4 /dev/sda1 rw\n8 7 0:30 / /data rw - btrfs /dev/sdb rw\n9 7 0:40 / /home rw - nfs4 s:/ rw\n";
        let mounts = LocalMounts::from_mounts(parse::mounts::parse_mountinfo(text.as_bytes()));
        assert_eq!(mounts.filesystem_of((8, 1), None), Some((8, 1)));
        assert_eq!(mounts.filesystem_of((0, 41), Some(8)), Some((0, 30)));
        assert_eq!((mounts.filesystem_of((0, 41), None), mounts.filesystem_of((0, 41), Some(99))), (None, None));
        // A server's is known to be there, and not asked.
        assert_eq!(mounts.filesystem_of((0, 40), Some(9)), Some((0, 40)));
        assert!(!mounts.local.contains_key(&(0, 40)));
    }
}
