//! Incidents that `up` opened during a run.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::disturbances::Disturbances;

/// Incidents, compared with the disturbances.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    /// Number of incidents that were opened.
    pub opened: usize,
    /// Summaries of those that name no process or file of the run.
    pub without_cause: Vec<String>,
}

impl Incidents {
    /// Reads the events that `up` printed.
    ///
    /// # Errors
    /// If the file cannot be read or has a line that is not an event.
    pub fn read(events: &Path, disturbances: &Disturbances) -> anyhow::Result<Incidents> {
        let text = std::fs::read(events).with_context(|| format!("cannot read `{}`", events.display()))?;
        let mut incidents = Incidents::default();
        for line in String::from_utf8_lossy(&text).lines() {
            let event: Value = serde_json::from_str(line).with_context(|| format!("not an event: `{line}`"))?;
            if event["event"] != "opened" {
                continue;
            }
            incidents.opened += 1;
            if !names_a_disturbance(&event, disturbances) {
                incidents.without_cause.push(event["summary"].to_string());
            }
        }
        Ok(incidents)
    }
}

/// Whether the root cause of an incident is a disturbance. If an incident has none, because it is
/// inconclusive or collective, one of the nodes of its impact must be a disturbance.
fn names_a_disturbance(event: &Value, disturbances: &Disturbances) -> bool {
    let is_disturbance = |suspect: &Value| {
        let names = ["name", "role", "path"].into_iter().filter_map(|key| suspect[key].as_str());
        names.into_iter().any(|name| disturbances.includes(name))
    };
    match &event["initiating"] {
        Value::Null => event["impact"].as_array().is_some_and(|impact| impact.iter().any(is_disturbance)),
        root_cause => is_disturbance(root_cause),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rand::{SeedableRng, rngs::SmallRng};
    use serde_json::{Value, json};

    use super::{Disturbances, names_a_disturbance};

    fn is_accepted(initiating: &Value, impact: &Value) -> bool {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let disturbances = Disturbances::new(folder, SmallRng::seed_from_u64(1)).expect("the folder exists");
        names_a_disturbance(&json!({"initiating": initiating, "impact": impact}), &disturbances)
    }

    #[test]
    fn the_root_cause_is_a_process_or_file_of_the_run() {
        let file = format!("{}/soak.lock", env!("CARGO_MANIFEST_DIR"));
        let none = json!([]);
        assert!(is_accepted(&json!({"name": "xtask", "role": "r", "path": null}), &none));
        assert!(is_accepted(&json!({"name": "a?b", "role": format!("exe:{file}"), "path": null}), &none));
        assert!(is_accepted(&json!({"name": "soak.lock", "role": "r", "path": file}), &none));
        assert!(!is_accepted(&json!({"name": "postgres", "role": "xtask postgres", "path": "/tmp"}), &none));
    }

    #[test]
    fn impact_counts_only_without_a_root_cause() {
        let impact = json!([{"name": "postgres", "role": "r"}, {"name": "xtask", "role": "r"}]);
        assert!(is_accepted(&Value::Null, &impact));
        assert!(!is_accepted(&json!({"name": "postgres", "role": "r"}), &impact));
        assert!(!is_accepted(&Value::Null, &json!([{"name": "postgres", "role": "r"}])));
        assert!(!is_accepted(&Value::Null, &json!([])));
    }
}
