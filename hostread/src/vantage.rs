//! Where this process is, seen from the root it looks at: in the same namespaces, or beside them in a container.

use crate::{
    directory::Directory,
    parse,
    proc_root::{self, ProcRoot},
    rights::{Hidepid, Rights},
    seen::Seen,
};

/// This process's place in the host that it watches.
#[derive(Debug)]
pub struct Vantage {
    /// This process's id, as the root counts; none if it has none there.
    pub own_pid: Option<u32>,
    /// The process whose view of network and namespaces is the host's.
    home: String,
    /// The process whose view of mounts is.
    mounts_home: String,
    /// The number of the network namespace that is listed; 0 if it is not known.
    pub network_namespace: u64,
    /// Whether that namespace is this process's own, so that the kernel can be asked for its sockets.
    pub is_own_network: bool,
    /// Whether the root is of an inner PID namespace, so that the kernel's list of locks can leave some out.
    pub lock_list_is_partial: bool,
    /// Whether the root hides others' processes from this one (`hidepid`).
    pub hides_processes: bool,
}

/// The kernel's number of the first PID namespace, the same on every host.
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

impl Vantage {
    /// Looks where this process is.
    pub fn detect(root: &ProcRoot, buffer: &mut Vec<u8>) -> Vantage {
        let own_pid = proc_root::own_pid(&root.directory, buffer).and_then(|pid| u32::try_from(pid).ok());
        // On another's root `net` would show this process's namespace, not the host's: process 1 has that.
        let home = if root.is_own_pid_namespace { "self" } else { "1" };
        let mut namespace = |process: &str, kind: &str| {
            let link = root.directory.read_link(&format!("{process}/ns/{kind}"), buffer).here()?;
            parse::process::parse_link_number(link, kind.as_bytes())
        };
        let network = namespace(home, "net");
        let own_network = root.is_own_pid_namespace || (network.is_some() && namespace("self", "net") == network);
        // A service or a container with the host's processes has mounts of its own, and process 1 the host's.
        let (own_mounts, first_mounts) = (namespace(home, "mnt"), namespace("1", "mnt"));
        let mounts_home = if first_mounts.is_none() || first_mounts == own_mounts { home } else { "1" };
        let list_hides = namespace(home, "pid").is_none_or(|number| number != FIRST_PID_NAMESPACE);
        let hides = hides(root, buffer);
        let (home, mounts_home) = (home.to_owned(), mounts_home.to_owned());
        Vantage {
            own_pid,
            home,
            mounts_home,
            network_namespace: network.unwrap_or(0),
            is_own_network: own_network,
            lock_list_is_partial: list_hides,
            hides_processes: hides,
        }
    }

    /// The directory that shows the host's network.
    pub fn open_net(&self, root: &ProcRoot) -> Seen<Directory> {
        root.directory.open_dir(&format!("{}/net", self.home))
    }

    /// The file that lists the host's mounts, below the root.
    pub fn mountinfo_path(&self) -> String {
        format!("{}/mountinfo", self.mounts_home)
    }

    /// The directory that the mounts' paths begin at.
    pub fn open_root(&self, root: &ProcRoot) -> Seen<Directory> {
        root.directory.open_dir(&format!("{}/root", self.mounts_home))
    }
}

fn hides(root: &ProcRoot, buffer: &mut Vec<u8>) -> bool {
    let mounts =
        root.directory.read("self/mountinfo", buffer).here().map(|text| Hidepid::from_mountinfo(text, &root.path));
    let rights = root.directory.read("self/status", buffer).here().and_then(Rights::from_status);
    mounts.zip(rights).is_some_and(|(hidepid, rights)| hidepid.hides_from(&rights))
}
