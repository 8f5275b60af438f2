//! The ground truth of a fault: its root cause and the affected nodes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{fault::Fault, process_identity, shop};

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

    /// The process of a shop's component.
    pub fn component(component: &shop::Component) -> Suspect {
        Suspect { endpoint: component.endpoint.clone(), ..Suspect::process(component.pid) }
    }

    /// The process of a shop's component, and its endpoint, which is an equally correct answer.
    pub fn component_and_endpoint(component: &shop::Component) -> Vec<Suspect> {
        let endpoint = component.endpoint.as_deref().map(Suspect::endpoint);
        [Suspect::component(component)].into_iter().chain(endpoint).collect()
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
    pub fn endpoint(address: &str) -> Suspect {
        Suspect { endpoint: Some(address.to_owned()), ..Suspect::new("endpoint", address.to_owned()) }
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

/// The ground truth as `fault start --json` prints it.
///
/// `kind` to `endpoint` are those of the first root cause.
#[derive(Serialize)]
pub struct GroundTruthRecord<'a> {
    fault: &'static str,
    family: &'static str,
    /// When the fault began, in milliseconds since 1970.
    time: i64,
    kind: Option<&'a str>,
    name: Option<&'a str>,
    pid: Option<u32>,
    path: Option<&'a str>,
    endpoint: Option<&'a str>,
    root_cause: &'a [Suspect],
    #[serde(rename = "victims")]
    affected: &'a [Suspect],
    #[serde(rename = "harmless")]
    is_benign: bool,
}

impl<'a> GroundTruthRecord<'a> {
    /// Describes a fault that began at `time`, in milliseconds since 1970.
    pub fn new(fault: &Fault, truth: &'a GroundTruth, time: i64) -> GroundTruthRecord<'a> {
        let first = truth.root_cause.first();
        GroundTruthRecord {
            fault: fault.name,
            family: fault.family.name(),
            time,
            kind: first.map(|suspect| suspect.kind.as_str()),
            name: first.map(|suspect| suspect.name.as_str()),
            pid: first.and_then(|suspect| suspect.pid),
            path: first.and_then(|suspect| suspect.path.as_deref()),
            endpoint: first.and_then(|suspect| suspect.endpoint.as_deref()),
            root_cause: &truth.root_cause,
            affected: &truth.affected,
            is_benign: fault.is_benign(),
        }
    }
}
