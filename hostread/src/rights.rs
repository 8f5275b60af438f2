//! The rights of this process, and which processes a `/proc` filesystem hides from it.

use std::path::Path;

use crate::parse::{self, hex, mounts::parse_mountinfo, number, value_of, words};

/// A capability that lets a process see more of the host, or changes what is hidden from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_DAC_READ_SEARCH`: read other users' files and directories.
    DacReadSearch = 2,
    /// `CAP_NET_ADMIN`: administer the network.
    NetAdmin = 12,
    /// `CAP_SYS_PTRACE`: inspect other users' processes.
    SysPtrace = 19,
    /// `CAP_SYS_ADMIN`: enter namespaces.
    SysAdmin = 21,
}

impl Capability {
    /// All capabilities, with their names.
    pub const ALL: [(Capability, &'static str); 4] = [
        (Capability::SysPtrace, "CAP_SYS_PTRACE"),
        (Capability::DacReadSearch, "CAP_DAC_READ_SEARCH"),
        (Capability::SysAdmin, "CAP_SYS_ADMIN"),
        (Capability::NetAdmin, "CAP_NET_ADMIN"),
    ];
}

/// User, groups and capabilities of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Effective user id.
    pub user_id: u64,
    groups: Vec<u64>,
    capabilities: u64,
}

impl Rights {
    /// Parses `/proc/PID/status`.
    pub fn from_status(status: &[u8]) -> Option<Rights> {
        let effective = |key: &[u8]| number(words(value_of(status, key)?).nth(1)?);
        // Access to files is checked with the filesystem group id, which follows the effective one
        // unless `setfsgid` changed it.
        let group = number(words(value_of(status, b"Gid:")?).nth(3)?)?;
        let groups = words(value_of(status, b"Groups:").unwrap_or_default()).filter_map(number);
        let capabilities = hex(value_of(status, b"CapEff:")?)?;
        Some(Rights { user_id: effective(b"Uid:")?, groups: groups.chain([group]).collect(), capabilities })
    }

    /// The rights of this process. Not for sweeps: the read is not on a tape.
    pub fn current() -> Option<Rights> {
        Rights::from_status(&std::fs::read("/proc/self/status").ok()?)
    }

    /// Whether the process has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities >> (capability as u32) & 1 == 1
    }
}

/// The mount options `hidepid` and `gid` of a `/proc` filesystem, which hide other users'
/// processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidepid {
    /// The value of `hidepid`, as the kernel prints it. `None`: nothing is hidden.
    pub mode: Option<String>,
    group: u64,
}

impl Hidepid {
    /// Parses `mountinfo` and takes the options of the filesystem at `mount_point`.
    pub fn from_mountinfo(mountinfo: &[u8], mount_point: &Path) -> Hidepid {
        // The latest mount at a path hides the earlier ones.
        let Some(mount) = parse_mountinfo(mountinfo).filter(|mount| mount.path == mount_point).last() else {
            return Hidepid::default();
        };
        let mode = mount.super_option("hidepid").map(parse::text).filter(|mode| mode != "off" && mode != "0");
        Hidepid { mode, group: mount.super_option("gid").and_then(number).unwrap_or(0) }
    }

    /// Whether processes may be missing from the listing for a process with these rights. With
    /// `noaccess`, all processes are listed, but most of their files cannot be read.
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
    fn hidden_processes_depend_on_mount_options_and_rights() {
        let mountinfo = |options: &str| {
            format!(
                "1 2 0:21 / /proc rw - proc proc rw,hidepid=ptraceable\n3 1 0:21 / /proc rw,relatime - proc proc rw{options}\n\
                 4 1 0:9 / /host/proc rw shared:7 - proc proc rw\n"
            )
        };
        let hides = |options: &str, rights: &Rights| {
            Hidepid::from_mountinfo(mountinfo(options).as_bytes(), Path::new("/proc")).hides_from(rights)
        };
        let unprivileged = rights(65534, 0);
        let tracer = rights(65534, 1 << 19);
        let options = ["", ",hidepid=noaccess", ",hidepid=invisible", ",gid=7,hidepid=2", ",gid=7,hidepid=ptraceable"];
        assert_eq!(options.map(|options| hides(options, &unprivileged)), [false, false, true, false, true]);
        assert_eq!(options.map(|options| hides(options, &tracer)), [false; 5]);
        // Without `gid`, members of group 0 see all processes.
        assert!(!hides(",hidepid=invisible", &rights(0, 0)));
        let elsewhere = Hidepid::from_mountinfo(mountinfo("").as_bytes(), Path::new("/host/proc"));
        assert_eq!(elsewhere, Hidepid::default());
    }

    #[test]
    fn the_rights_of_this_process_are_parsed() {
        assert!(Rights::current().is_some());
    }

    proptest! {
        #[test]
        fn parsers_accept_any_bytes(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Rights::from_status(&text), Hidepid::from_mountinfo(&text, Path::new("/proc")));
        }

        #[test]
        fn formatted_rights_are_parsed_back(user in any::<u32>(), group in any::<u32>(), capabilities in any::<u64>()) {
            let rights = Rights::from_status(status(user, group, "1 2", capabilities).as_bytes()).unwrap();
            let user = u64::from(user);
            let group = u64::from(group);
            prop_assert_eq!(&rights, &Rights { user_id: user, groups: vec![1, 2, group], capabilities });
            prop_assert_eq!(rights.has(Capability::SysPtrace), capabilities & (1 << 19) != 0);
        }
    }
}
