//! What is true once a fault has begun, to be compared with what a detective says.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{fault::Fault, shop, who};

/// Who is to blame or suffers, in the form of a suspect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// `process`, `file`, `endpoint` or `cgroup`.
    pub kind: String,
    /// Of a process its comm.
    pub name: String,
    /// Of a process; none if whichever has the name is meant.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Absolute: of a file; of a process the file that it is about.
    #[serde(default)]
    pub path: Option<String>,
    /// `ip:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

impl Suspect {
    fn of_kind(kind: &str, name: String) -> Suspect {
        Suspect { kind: kind.to_owned(), name, ..Suspect::default() }
    }

    /// A process, under the name that it has now.
    pub fn process(pid: u32) -> Suspect {
        Suspect { pid: Some(pid), ..Suspect::of_kind("process", who::name(pid)) }
    }

    /// A part of the shop, which listens.
    pub fn part(part: &shop::Part) -> Suspect {
        Suspect { endpoint: part.endpoint.clone(), ..Suspect::process(part.pid) }
    }

    /// A part of the shop, and what listens at its endpoint: the same thing by another name.
    pub fn part_and_endpoint(part: &shop::Part) -> Vec<Suspect> {
        [Suspect::part(part)].into_iter().chain(part.endpoint.as_deref().map(Suspect::endpoint)).collect()
    }

    /// The same, whatever its pid is: of one that is started again and again.
    pub fn whichever(self) -> Suspect {
        Suspect { pid: None, ..self }
    }

    /// A file, or a filesystem by where it is mounted.
    pub fn file(path: &Path) -> Suspect {
        let path = path.to_string_lossy().into_owned();
        Suspect { path: Some(path.clone()), ..Suspect::of_kind("file", path) }
    }

    /// Who listens there, whoever that is.
    pub fn endpoint(address: &str) -> Suspect {
        Suspect { endpoint: Some(address.to_owned()), ..Suspect::of_kind("endpoint", address.to_owned()) }
    }

    /// A control group directly below the root, by its folder. Its name is its path in the hierarchy.
    pub fn group(folder: &Path) -> Suspect {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Suspect::of_kind("cgroup", format!("/{name}"))
    }

    /// The same, about a file.
    pub fn about(self, path: &Path) -> Suspect {
        Suspect { path: Some(path.to_string_lossy().into_owned()), ..self }
    }
}

/// Who is to blame for a fault that has begun, and who suffers from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deed {
    /// Any of them is right.
    pub root_cause: Vec<Suspect>,
    /// Those who suffer first.
    pub victims: Vec<Suspect>,
}

impl Deed {
    /// What these did to those.
    pub fn of(root_cause: Vec<Suspect>, victims: Vec<Suspect>) -> Deed {
        Deed { root_cause, victims }
    }
}

/// What is told of it, as one line of JSON: the keys of the first root cause, then all of them.
#[derive(Serialize)]
pub struct Truth<'a> {
    fault: &'static str,
    family: &'static str,
    /// Milliseconds of the time of day.
    time: i64,
    kind: Option<&'a str>,
    name: Option<&'a str>,
    pid: Option<u32>,
    path: Option<&'a str>,
    endpoint: Option<&'a str>,
    root_cause: &'a [Suspect],
    victims: &'a [Suspect],
    harmless: bool,
}

impl<'a> Truth<'a> {
    /// What is true of a fault that has begun at a time, in milliseconds of the time of day.
    pub fn of(fault: &Fault, deed: &'a Deed, time: i64) -> Truth<'a> {
        let first = deed.root_cause.first();
        Truth {
            fault: fault.name,
            family: fault.family.name(),
            time,
            kind: first.map(|suspect| suspect.kind.as_str()),
            name: first.map(|suspect| suspect.name.as_str()),
            pid: first.and_then(|suspect| suspect.pid),
            path: first.and_then(|suspect| suspect.path.as_deref()),
            endpoint: first.and_then(|suspect| suspect.endpoint.as_deref()),
            root_cause: &deed.root_cause,
            victims: &deed.victims,
            harmless: fault.is_harmless(),
        }
    }
}
