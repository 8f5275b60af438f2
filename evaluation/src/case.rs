//! A case: recorded snapshots with a known answer.

use std::path::PathBuf;

use faults::ground_truth;
use schemas::{Suspect, Timestamp};

use crate::client_impact::ClientImpact;

/// Recorded snapshots with a known answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Name of the case and of its file.
    pub name: String,
    /// What rankers receive.
    pub input: CaseInput,
    /// The known answer, which only the judge reads.
    pub truth: GroundTruth,
}

/// Everything that rankers may know about a case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseInput {
    /// Format of the snapshot files.
    pub format: CaseFormat,
    /// Folder of the snapshot files.
    pub folder: PathBuf,
    /// Name of the case's own file, without its extension.
    pub file: String,
    /// Name of the file to learn from. `None`: the healthy snapshots of the case's own file.
    pub healthy: Option<String>,
    /// System that was observed, such as `shop`.
    pub system: String,
    /// Roles that may be the root cause. Empty: every node that was seen.
    pub candidates: Vec<String>,
    /// Role of the node that shows the symptom, if known.
    pub symptom: Option<String>,
    /// When to take the ranking. `None`: after the last snapshot.
    pub rank_at: Option<Timestamp>,
}

/// Format of snapshot files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseFormat {
    /// Lines of JSON: graphs that did not come from a host, as in the public cases.
    JsonLines,
    /// A recording of one host.
    Recording,
}

/// The known answer of a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroundTruth {
    /// Name of the fault. `None`: healthy operation.
    pub fault: Option<String>,
    /// Family of the fault.
    pub family: Option<String>,
    /// System that was observed.
    pub system: String,
    /// Whether every incident is a false alarm: there is no fault, or only a benign change.
    pub is_benign: bool,
    /// Begin and end of the fault, if known to the second.
    pub fault_interval: Option<(Timestamp, Timestamp)>,
    /// Root causes; for each of them the nodes that count as a right answer.
    pub root_causes: Vec<Vec<NodeLabel>>,
    /// Nodes that are affected and not a root cause, if known.
    pub affected: Option<Vec<NodeLabel>>,
    /// What clients of the workload measured, if they did.
    pub client_impact: Option<ClientImpact>,
}

/// A node as the ground truth names it.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeLabel {
    /// Id of a node of a foreign graph, which is also its role.
    Id(String),
    /// A node of a host, as fault injection reports it.
    HostNode(ground_truth::Suspect),
}

impl Case {
    /// Key that repetitions of a case share: the fault and, in a foreign graph, the root causes.
    /// A case without a fault has a key of its own.
    pub fn repetition_key(&self) -> String {
        let Some(fault) = &self.truth.fault else { return self.name.clone() };
        let ids = self.truth.root_causes.iter().flatten().filter_map(|label| match label {
            NodeLabel::Id(id) => Some(id.as_str()),
            NodeLabel::HostNode(_) => None,
        });
        [fault.as_str()].into_iter().chain(ids).collect::<Vec<_>>().join("\n")
    }
}

impl CaseInput {
    /// Name of the file to learn from.
    pub fn healthy_file(&self) -> &str {
        self.healthy.as_deref().unwrap_or(&self.file)
    }
}

impl GroundTruth {
    /// Whether `suspect` is a right answer.
    pub fn is_root_cause(&self, suspect: &Suspect) -> bool {
        self.root_causes.iter().flatten().any(|label| label.matches(suspect))
    }
}

impl NodeLabel {
    /// Whether the label names `suspect`. Kinds must agree; then the pid, path or endpoint decides,
    /// or the name if the label has none of them.
    pub fn matches(&self, suspect: &Suspect) -> bool {
        let node = match self {
            NodeLabel::Id(id) => return *id == suspect.role,
            NodeLabel::HostNode(node) => node,
        };
        suspect.kind == node.kind.as_str()
            && match node.kind.as_str() {
                "process" if node.pid.is_some() => node.pid.map(i64::from) == suspect.pid,
                "file" if node.path.is_some() => node.path == suspect.path,
                "endpoint" if node.endpoint.is_some() => node.endpoint == suspect.endpoint,
                _ => node.name == suspect.name,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(kind: &str, name: &str, pid: Option<u32>, path: Option<&str>) -> Suspect {
        Suspect {
            pid: pid.map(i64::from),
            path: path.map(str::to_owned),
            ..Suspect::unscored(kind.into(), name, &format!("/usr/bin/{name}"))
        }
    }

    fn label(kind: &str, name: &str, pid: Option<u32>, path: Option<&str>) -> NodeLabel {
        let path = path.map(str::to_owned);
        NodeLabel::HostNode(ground_truth::Suspect {
            kind: kind.to_owned(),
            name: name.to_owned(),
            pid,
            path,
            endpoint: None,
        })
    }

    #[test]
    fn a_process_matches_by_pid_and_without_a_pid_by_name() {
        let web = suspect("process", "web", Some(7), None);
        assert!(label("process", "other", Some(7), Some("/usr/bin/web")).matches(&web));
        assert!(!label("process", "web", Some(8), None).matches(&web), "another process with the same name");
        assert!(label("process", "web", None, Some("/usr/bin/web")).matches(&web), "a process that restarts");
        assert!(NodeLabel::Id("/usr/bin/web".to_owned()).matches(&web));
    }

    #[test]
    fn the_label_of_a_file_does_not_match_its_holder() {
        let holder = suspect("process", "rotate", Some(9), Some("/var/log/a"));
        let file = suspect("file", "a", None, Some("/var/log/a"));
        let label = label("file", "a", None, Some("/var/log/a"));
        assert_eq!((label.matches(&holder), label.matches(&file)), (false, true));
    }
}
