//! One entry of `cases.json`, in either format.

use std::path::Path;

use anyhow::{bail, ensure};
use faults::ground_truth::Suspect;
use schemas::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::first_duplicate;
use crate::{
    case::{Case, CaseFormat, CaseInput, GroundTruth, NodeLabel},
    client_impact::ClientImpact,
};

/// A case of a public set, kept as lines of JSON. Other keys of the sets are ignored.
#[derive(Deserialize)]
struct JsonLinesEntry {
    case: String,
    system: String,
    fault: String,
    healthy: Option<String>,
    root_cause: Vec<String>,
    candidates: Vec<String>,
    #[serde(default)]
    symptom: Option<Symptom>,
}

#[derive(Deserialize)]
struct Symptom {
    node: String,
}

/// A case that was recorded on a host.
#[derive(Deserialize)]
struct RecordingEntry {
    case: String,
    system: String,
    fault: Option<String>,
    #[serde(default)]
    family: Option<String>,
    #[serde(default)]
    harmless: bool,
    healthy: String,
    t_inject: f64,
    t_end: f64,
    root_cause: Vec<Suspect>,
    #[serde(default)]
    victims: Option<Vec<Suspect>>,
    // `hurt` in recordings made before the key was renamed.
    #[serde(default, alias = "hurt")]
    client_impact: Option<ClientImpact>,
}

/// Parses an entry: with `candidates` it is a case of JSON lines, with `t_end` a recording.
///
/// # Errors
/// If it is neither or both, or its values contradict each other.
pub fn parse(folder: &Path, entry: &Value) -> anyhow::Result<Case> {
    match (entry.get("candidates").is_some(), entry.get("t_end").is_some()) {
        (true, false) => json_lines_case(folder, serde_json::from_value(entry.clone())?),
        (false, true) => recording_case(folder, serde_json::from_value(entry.clone())?),
        (true, true) => bail!("expected `candidates` or `t_end`, found both"),
        (false, false) => bail!("expected `candidates` or `t_end`, found neither"),
    }
}

fn json_lines_case(folder: &Path, entry: JsonLinesEntry) -> anyhow::Result<Case> {
    let name = &entry.case;
    ensure!(!entry.root_cause.is_empty(), "`{name}`: expected a root cause, found none");
    if let Some(other) = entry.root_cause.iter().find(|id| !entry.candidates.contains(id)) {
        bail!("`{name}`: expected the root cause among the candidates, found `{other}`");
    }
    for (what, ids) in [("root cause", &entry.root_cause), ("candidate", &entry.candidates)] {
        if let Some(id) = first_duplicate(ids.iter().map(String::as_str)) {
            bail!("`{name}`: expected each {what} once, found `{id}` again");
        }
    }
    // A fault is `KIND@WHERE` or `KIND`.
    let fault = entry.fault.split('@').next().unwrap_or_default().to_owned();
    Ok(Case {
        input: CaseInput {
            format: CaseFormat::JsonLines,
            folder: folder.to_owned(),
            file: entry.case.clone(),
            healthy: entry.healthy,
            system: entry.system.clone(),
            candidates: entry.candidates,
            symptom: entry.symptom.map(|symptom| symptom.node),
            rank_at: None,
        },
        truth: GroundTruth {
            fault: Some(fault),
            system: entry.system,
            root_causes: entry.root_cause.into_iter().map(|id| vec![NodeLabel::Id(id)]).collect(),
            ..GroundTruth::default()
        },
        name: entry.case,
    })
}

fn recording_case(folder: &Path, entry: RecordingEntry) -> anyhow::Result<Case> {
    let name = &entry.case;
    let is_benign = entry.harmless || entry.fault.is_none();
    let begin = timestamp(entry.t_inject);
    let end = timestamp(entry.t_end);
    if begin > end {
        bail!("`{name}`: expected `t_end` not before `t_inject`, found {} and {}", entry.t_end, entry.t_inject);
    }
    ensure!(is_benign || !entry.root_cause.is_empty(), "`{name}`: expected a root cause of its fault, found none");
    let labels = |nodes: Vec<Suspect>| nodes.into_iter().map(NodeLabel::HostNode).collect::<Vec<_>>();
    Ok(Case {
        input: CaseInput {
            format: CaseFormat::Recording,
            folder: folder.to_owned(),
            file: entry.case.clone(),
            healthy: Some(entry.healthy),
            system: entry.system.clone(),
            candidates: Vec::new(),
            symptom: None,
            rank_at: Some(end),
        },
        truth: GroundTruth {
            fault: entry.fault,
            family: entry.family,
            system: entry.system,
            is_benign,
            fault_interval: Some((begin, end)),
            // The nodes of `root_cause` name the same cause, and any of them is right.
            root_causes: if entry.root_cause.is_empty() { Vec::new() } else { vec![labels(entry.root_cause)] },
            affected: entry.victims.map(labels),
            client_impact: entry.client_impact,
        },
        name: entry.case,
    })
}

fn timestamp(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1000.0).round() as i64)
}
