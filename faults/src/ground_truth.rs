//! The ground truth of a fault: its root cause and the affected nodes.

use std::{net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};

use super::process_identity;

/// A root cause or an affected node, in the form of a suspect of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// `process`, `file`, `endpoint` or `cgroup`.
    pub kind: String,
    /// Name; of a process its comm.
    pub name: String,
    /// Process id; `None` if any process with the name matches.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Absolute path of a file; of a process, the file that the fault is about.
    #[serde(default)]
    pub path: Option<String>,
    /// Endpoint, `ip:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

impl Suspect {
    fn new(kind: &str, name: String) -> Suspect {
        Suspect { kind: kind.to_owned(), name, ..Suspect::default() }
    }

    /// A process, with its present name.
    pub fn process(pid: u32) -> Suspect {
        Suspect { pid: Some(pid), ..Suspect::new("process", process_identity::process_name(pid)) }
    }

    /// Removes the pid, for a process that restarts during the fault.
    pub fn with_any_pid(self) -> Suspect {
        Suspect { pid: None, ..self }
    }

    /// A file, or a filesystem by its mount point.
    pub fn file(path: &Path) -> Suspect {
        let path = path.to_string_lossy().into_owned();
        Suspect { path: Some(path.clone()), ..Suspect::new("file", path) }
    }

    /// An endpoint, whichever process listens on it.
    pub fn endpoint(address: SocketAddr) -> Suspect {
        let address = address.to_string();
        Suspect { endpoint: Some(address.clone()), ..Suspect::new("endpoint", address) }
    }

    /// A control group directly below the root, given by its folder. Its name is its path in the
    /// hierarchy.
    pub fn cgroup(folder: &Path) -> Suspect {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Suspect::new("cgroup", format!("/{name}"))
    }

    /// Adds the file that the fault is about.
    pub fn with_path(self, path: &Path) -> Suspect {
        Suspect { path: Some(path.to_string_lossy().into_owned()), ..self }
    }
}

/// The ground truth of a fault that has begun; empty for a benign change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroundTruth {
    /// Suspects, any of which is a correct root cause.
    pub root_cause: Vec<Suspect>,
    /// The nodes that are affected first.
    pub affected: Vec<Suspect>,
}
