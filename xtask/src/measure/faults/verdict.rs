//! Whether the culprit was named, and what was named before it.

use serde_json::{Value, json};

use super::{scenes::Who, workload::Workload};

impl Who {
    /// Whether a suspect is this one.
    pub fn is(&self, suspect: &Value) -> bool {
        match self {
            Who::Process(pid) => suspect["pid"] == *pid,
            Who::Endpoint(address) => suspect["kind"] == "endpoint" && suspect["endpoint"] == *address,
            Who::Group(named) => {
                suspect["kind"] == "cgroup" && suspect["name"].as_str().is_some_and(|name| name.ends_with(named))
            }
            Who::Filesystem(path) => {
                suspect["kind"] != "process" && suspect["path"].as_str().is_some_and(|found| path.as_os_str() == found)
            }
        }
    }
}

/// Whether a suspect is any of these.
pub fn is_any(whom: &[Who], suspect: &Value) -> bool {
    whom.iter().any(|who| who.is(suspect))
}

/// From 1; none if it is not in the ranking.
pub fn rank(ranking: &[Value], whom: &[Who]) -> Option<usize> {
    ranking.iter().position(|suspect| is_any(whom, suspect)).map(|at| at + 1)
}

/// A suspect, for people.
pub fn describe(suspect: &Value, workload: &Workload) -> String {
    let text = |key: &str| suspect[key].as_str().unwrap_or_default().to_owned();
    match (suspect["pid"].as_u64(), suspect["kind"].as_str()) {
        (Some(pid), _) => {
            let part = workload.part_of(pid).map(str::to_owned);
            part.unwrap_or_else(|| text("role").rsplit('/').next().unwrap_or_default().to_owned())
        }
        (None, Some("endpoint")) => format!("endpoint {}", text("endpoint")),
        (None, Some(kind)) => format!("{kind} {}", text("name")),
        (None, None) => "inconclusive".to_owned(),
    }
}

/// The figures over all faults that were played.
pub fn totals(rows: &[Value]) -> Value {
    let ranks: Vec<Option<u64>> = rows.iter().map(|row| row["rank"].as_u64()).collect();
    let share = |wanted: &dyn Fn(&Option<u64>) -> bool| {
        hundredths(ranks.iter().filter(|rank| wanted(rank)).count() as f64 / ranks.len().max(1) as f64)
    };
    let reciprocal: f64 = ranks.iter().flatten().map(|rank| 1.0 / *rank as f64).sum();
    let incidents = |key: &str| rows.iter().filter(|row| row[key] == true).count();
    json!({
        "faults": rows.len(),
        "hit@1": share(&|rank| *rank == Some(1)),
        "hit@3": share(&|rank| rank.is_some_and(|rank| rank <= 3)),
        "mrr": hundredths(reciprocal / ranks.len().max(1) as f64),
        "incidents_opened": rows.iter().filter(|row| row["opened_s"].is_number()).count(),
        "first_incident_names_culprit": incidents("first_incident_is_right"),
        "an_incident_names_culprit": rows.iter().filter(|row| row["named_s"].is_number()).count(),
        "median_opened_s": median(rows, "opened_s"),
        "median_named_s": median(rows, "named_s"),
    })
}

fn median(rows: &[Value], key: &str) -> Option<f64> {
    let mut values: Vec<f64> = rows.iter().filter_map(|row| row[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{rank, totals};
    use crate::measure::faults::scenes::Who;

    #[test]
    fn a_culprit_is_told_by_what_it_is() {
        let ranking = [
            json!({"kind": "process", "pid": 7, "endpoint": null, "name": "sh", "path": "/spool"}),
            json!({"kind": "endpoint", "pid": null, "endpoint": "127.0.0.1:80", "name": "", "path": null}),
            json!({"kind": "cgroup", "pid": null, "endpoint": null, "name": "/trial-5", "path": null}),
            json!({"kind": "file", "pid": null, "endpoint": null, "name": "spool", "path": "/spool"}),
        ];
        assert_eq!(rank(&ranking, &[Who::Process(7)]), Some(1));
        assert_eq!(rank(&ranking, &[Who::Endpoint("127.0.0.1:80".into())]), Some(2));
        assert_eq!(rank(&ranking, &[Who::Group("trial-5".into())]), Some(3));
        assert_eq!(rank(&ranking, &[Who::Filesystem("/spool".into())]), Some(4));
        assert_eq!(rank(&ranking, &[Who::Process(8)]), None);
    }

    #[test]
    fn a_fault_that_was_not_found_counts_in_all_shares() {
        let rows = [
            json!({"rank": 1, "opened_s": 2.0, "named_s": 2.0, "first_incident_is_right": true}),
            json!({"rank": 2, "opened_s": 4.0, "named_s": null, "first_incident_is_right": false}),
            json!({"rank": null, "opened_s": null, "named_s": null, "first_incident_is_right": false}),
        ];
        let totals = totals(&rows);
        assert_eq!((&totals["hit@1"], &totals["hit@3"], &totals["mrr"]), (&json!(0.33), &json!(0.67), &json!(0.5)));
        assert_eq!((&totals["incidents_opened"], &totals["an_incident_names_culprit"]), (&json!(2), &json!(1)));
        assert_eq!((&totals["median_opened_s"], &totals["median_named_s"]), (&json!(2.0), &json!(2.0)));
    }
}
