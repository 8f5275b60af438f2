//! What this process may do, and what a `proc` file system hides from it, as far as that decides what a sweep sees.

use std::path::Path;

use procfs::process::MountInfo;

use crate::parse::{self, hex, lines, number, value_of, words};

/// A capability that shows more of a host, or changes what is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Directories and files that belong to others may be read.
    DacReadSearch = 2,
    /// The network may be administered.
    NetAdmin = 12,
    /// What other users' processes are and do may be read.
    SysPtrace = 19,
    /// Namespaces may be entered.
    SysAdmin = 21,
}

impl Capability {
    /// All of them, with their names.
    pub const ALL: [(Capability, &'static str); 4] = [
        (Capability::SysPtrace, "CAP_SYS_PTRACE"),
        (Capability::DacReadSearch, "CAP_DAC_READ_SEARCH"),
        (Capability::SysAdmin, "CAP_SYS_ADMIN"),
        (Capability::NetAdmin, "CAP_NET_ADMIN"),
    ];
}

/// Who a process is, and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Its effective user.
    pub user_id: u64,
    groups: Vec<u64>,
    capabilities: u64,
}

impl Rights {
    /// Those that a `status` tells.
    pub fn from_status(status: &[u8]) -> Option<Rights> {
        let effective = |key: &[u8]| number(words(value_of(status, key)?).nth(1)?);
        // Files are opened by the file system's group, which is the effective one unless it was set apart.
        let group = number(words(value_of(status, b"Gid:")?).nth(3)?)?;
        let groups = words(value_of(status, b"Groups:").unwrap_or_default()).filter_map(number);
        let capabilities = hex(value_of(status, b"CapEff:")?)?;
        Some(Rights { user_id: effective(b"Uid:")?, groups: groups.chain([group]).collect(), capabilities })
    }

    /// This process's own, outside of sweeps.
    pub fn current() -> Option<Rights> {
        Rights::from_status(&std::fs::read("/proc/self/status").ok()?)
    }

    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities >> (capability as u32) & 1 == 1
    }
}

/// What a `proc` file system hides of others' processes: its mount options `hidepid` and `gid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidepid {
    /// `hidepid` as the kernel tells it; none where nothing is hidden.
    pub mode: Option<String>,
    group: u64,
}

impl Hidepid {
    /// That of the file system at `mount_point`, by the `mountinfo` of a process that has it there.
    pub fn from_mountinfo(mountinfo: &[u8], mount_point: &Path) -> Hidepid {
        let mounts = lines(mountinfo).filter_map(|line| MountInfo::from_line(&parse::text(line)).ok());
        // What was mounted last is on top.
        let Some(mount) = mounts.filter(|mount| mount.mount_point == mount_point).last() else {
            return Hidepid::default();
        };
        let option = |name: &str| mount.super_options.get(name).cloned().flatten();
        let how = option("hidepid").filter(|how| how != "off" && how != "0");
        Hidepid { mode: how, group: option("gid").and_then(|group| group.parse().ok()).unwrap_or(0) }
    }

    /// Whether there can be processes that it does not list. With `noaccess` all are listed, and closed.
    pub fn hides_from(&self, rights: &Rights) -> bool {
        let may_trace = rights.has(Capability::SysPtrace);
        match self.mode.as_deref() {
            None | Some("noaccess" | "1") => false,
            Some("ptraceable" | "4") => !may_trace,
            Some(_) => !may_trace && !rights.groups.contains(&self.group),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn status(user: u32, group: u32, groups: &str, capabilities: u64) -> String {
        format!(
            "Name:\tx\nUid:\t9\t{user}\t9\t9\nGid:\t9\t9\t9\t{group}\nGroups:\t{groups} \nCapEff:\t{capabilities:016x}\n"
        )
    }

    fn rights(group: u32, capabilities: u64) -> Rights {
        Rights::from_status(status(65534, group, "7", capabilities).as_bytes()).unwrap()
    }

    #[test]
    fn what_is_hidden_depends_on_the_mount_and_on_the_rights() {
        let mountinfo = |options: &str| {
            format!(
                "1 2 0:21 / /proc rw - proc proc rw,hidepid=ptraceable\n3 1 0:21 / /proc rw,relatime - proc proc rw{options}\n\
                 4 1 0:9 / /host/proc rw shared:7 - proc proc rw\n"
            )
        };
        let hides = |options: &str, rights: &Rights| {
            Hidepid::from_mountinfo(mountinfo(options).as_bytes(), Path::new("/proc")).hides_from(rights)
        };
        let (nobody, traces) = (rights(65534, 0), rights(65534, 1 << 19));
        let options = ["", ",hidepid=noaccess", ",hidepid=invisible", ",gid=7,hidepid=2", ",gid=7,hidepid=ptraceable"];
        assert_eq!(options.map(|options| hides(options, &nobody)), [false, false, true, false, true]);
        assert_eq!(options.map(|options| hides(options, &traces)), [false; 5]);
        // Without `gid` it is the first group that sees all.
        assert!(!hides(",hidepid=invisible", &rights(0, 0)));
        let elsewhere = Hidepid::from_mountinfo(mountinfo("").as_bytes(), Path::new("/host/proc"));
        assert_eq!(elsewhere, Hidepid::default());
    }

    #[test]
    fn this_process_has_rights() {
        assert!(Rights::current().is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Rights::from_status(&text), Hidepid::from_mountinfo(&text, Path::new("/proc")));
        }

        #[test]
        fn written_rights_read_back(user in any::<u32>(), group in any::<u32>(), capabilities in any::<u64>()) {
            let rights = Rights::from_status(status(user, group, "1 2", capabilities).as_bytes()).unwrap();
            let (user, group) = (u64::from(user), u64::from(group));
            prop_assert_eq!(&rights, &Rights { user_id: user, groups: vec![1, 2, group], capabilities });
            prop_assert_eq!(rights.has(Capability::SysPtrace), capabilities & (1 << 19) != 0);
        }
    }
}
