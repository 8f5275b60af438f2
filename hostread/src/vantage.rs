//! From which namespaces this process sees the host, for instance those of a container.

use crate::{
    directory::Directory,
    parse,
    proc_root::{self, ProcRoot},
    rights::{Hidepid, Rights},
    seen::Seen,
};

/// The namespaces from which this process sees the host, and what they hide from it.
#[derive(Debug)]
pub struct Vantage {
    /// Pid of this process below the root. `None` if it has none there.
    pub own_pid: Option<u32>,
    // The process whose network namespace and PID namespace are the host's: `self` or `1`.
    host_process: String,
    // The process whose mount namespace is the host's: `self` or `1`.
    mounts_process: String,
    /// Inode number of the host's network namespace. 0 if it cannot be read.
    pub network_namespace: u64,
    /// Whether this process is in that network namespace, so that `sock_diag` lists its sockets.
    pub is_own_network_namespace: bool,
    /// Whether `/proc/locks` may lack locks because the root is of an inner PID namespace.
    pub is_lock_list_partial: bool,
    /// Whether the root hides other users' processes from this one (`hidepid`).
    pub hides_processes: bool,
}

/// Inode number of the initial PID namespace, the same on every host.
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

impl Vantage {
    /// Reads the namespaces of this process and of process 1.
    pub fn detect(root: &ProcRoot, buffer: &mut Vec<u8>) -> Vantage {
        let own_pid = proc_root::own_pid(&root.directory, buffer).and_then(|pid| u32::try_from(pid).ok());
        // Below another host's root, `self/net` is the namespace of this process; `1/net` is the
        // host's.
        let host_process = if root.is_own_pid_namespace { "self" } else { "1" };
        let mut namespace = |process: &str, kind: &str| {
            let link = root.directory.read_link(&format!("{process}/ns/{kind}"), buffer).here()?;
            parse::process::parse_link_number(link, kind.as_bytes())
        };
        let network = namespace(host_process, "net");
        let is_own_network_namespace =
            root.is_own_pid_namespace || (network.is_some() && namespace("self", "net") == network);
        // A service or container in the host's PID namespace can have its own mount namespace.
        let own_mounts = namespace(host_process, "mnt");
        let init_mounts = namespace("1", "mnt");
        let mounts_process = if init_mounts.is_none() || init_mounts == own_mounts { host_process } else { "1" };
        let is_lock_list_partial = namespace(host_process, "pid").is_none_or(|number| number != INITIAL_PID_NAMESPACE);
        Vantage {
            own_pid,
            host_process: host_process.to_owned(),
            mounts_process: mounts_process.to_owned(),
            network_namespace: network.unwrap_or(0),
            is_own_network_namespace,
            is_lock_list_partial,
            hides_processes: hides_processes(root, buffer),
        }
    }

    /// Opens `PID/net`, which describes the host's network namespace.
    pub fn open_net(&self, root: &ProcRoot) -> Seen<Directory> {
        root.directory.open_dir(format!("{}/net", self.host_process))
    }

    /// Path of the file that lists the host's mounts, relative to the root.
    pub fn mountinfo_path(&self) -> String {
        format!("{}/mountinfo", self.mounts_process)
    }

    /// Opens the host's root directory, which the paths of its mounts are relative to.
    pub fn open_root(&self, root: &ProcRoot) -> Seen<Directory> {
        root.directory.open_dir(format!("{}/root", self.mounts_process))
    }
}

fn hides_processes(root: &ProcRoot, buffer: &mut Vec<u8>) -> bool {
    let mountinfo = root.directory.read("self/mountinfo", buffer).here();
    let hidepid = mountinfo.map(|text| Hidepid::from_mountinfo(text, &root.path));
    let rights = root.directory.read("self/status", buffer).here().and_then(Rights::from_status);
    hidepid.zip(rights).is_some_and(|(hidepid, rights)| hidepid.hides_from(&rights))
}
