//! Renders the catalogue as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    catalogue,
    fault::{Family, Fault},
    requirement::Requirement,
    safety::ResourceUse,
    workload::Workload,
};

/// Width of the first column.
const INDENT: usize = 20;

const PATH: &str = "file to create and use instead of the workload's";
const NO_PATH: &str = "not accepted: the fault uses no file of your choice";

/// Lists all faults by family, each with its requirements and whether they are met.
pub fn list(is_met: impl Fn(Requirement) -> bool) -> String {
    let mut text = String::new();
    for family in Family::ALL {
        let _ = writeln!(text, "{}{}", if text.is_empty() { "" } else { "\n" }, family.name());
        for fault in catalogue::in_family(family) {
            let requirements = requirements(fault, &is_met);
            let _ = writeln!(text, "{:INDENT$}{}{requirements}", fault.name, fault.description);
        }
    }
    text
}

fn requirements(fault: &Fault, is_met: impl Fn(Requirement) -> bool) -> String {
    let mark = |met| if met { "" } else { " (missing)" };
    let all: Vec<String> = fault.requirements.iter().map(|each| format!("{each}{}", mark(is_met(*each)))).collect();
    if all.is_empty() { String::new() } else { format!("; requires {}", all.join(", ")) }
}

/// All faults as a JSON array of [`describe_json`] objects.
pub fn list_json(workload: Option<&Workload>) -> Value {
    catalogue::all().map(|fault| describe_json(fault, workload)).collect()
}

/// One fault as a JSON object.
pub fn describe_json(fault: &Fault, workload: Option<&Workload>) -> Value {
    let requirement = |each: &Requirement| json!({"name": each.to_string(), "met": each.is_met(workload)});
    json!({
        "name": fault.name,
        "family": fault.family.name(),
        "description": fault.description,
        "root_cause": fault.root_cause,
        "affected": fault.affected,
        "limits": fault.limits,
        "undo": fault.undo,
        "harmless": fault.is_benign(),
        "requirements": fault.requirements.iter().map(requirement).collect::<Vec<_>>(),
        "available": fault.requirements.iter().all(|each| each.is_met(workload)),
        "accepts_path": fault.accepts_path,
        "uses": {"memory_mb": fault.uses.memory_mb, "disk_mb": fault.uses.disk_mb},
    })
}

/// Describes one fault as text.
pub fn describe(fault: &Fault, is_met: impl Fn(Requirement) -> bool) -> String {
    let mark = |met| if met { "met" } else { "missing" };
    let requirements: Vec<String> =
        fault.requirements.iter().map(|each| format!("{each} ({})", mark(is_met(*each)))).collect();
    let rows = [
        ("what happens", fault.description.to_owned()),
        ("family", fault.family.name().to_owned()),
        ("root cause", or(fault.root_cause, "none: it must not open an incident")),
        ("affected", or(fault.affected, "none")),
        ("limits", format!("{}; ten minutes", fault.limits)),
        ("uses", describe_use(fault.uses)),
        ("requires", or(&requirements.join(", "), "nothing")),
        ("--path", if fault.accepts_path { PATH } else { NO_PATH }.to_owned()),
        ("undo", fault.undo.to_owned()),
    ];
    let mut text = format!("{}\n", fault.name);
    for (label, value) in rows {
        let _ = writeln!(text, "  {label:14}{value}");
    }
    text
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn describe_use(uses: ResourceUse) -> String {
    format!("at most {} MB of memory and {} MB of disk space", uses.memory_mb, uses.disk_mb)
}
