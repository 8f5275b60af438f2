//! The ground truth of a fault as JSON.

use serde::Serialize;

use super::{
    fault::Fault,
    ground_truth::{GroundTruth, Suspect},
};

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
