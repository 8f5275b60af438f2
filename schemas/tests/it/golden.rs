//! Released bytes stay readable: golden files are never edited, and a new version adds its own.

use std::{fmt::Debug, path::PathBuf};

use schemas::{GraphSnapshot, codec::Record, decode, encode};

use crate::samples;

/// Set this variable to write the files of a new version.
const WRITE: &str = "DETECTIVE_WRITE_GOLDEN";

fn path<R: Record>(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{}.v{version}.avro", R::NAME))
}

/// A version that is written today.
fn check<R: Record + PartialEq + Debug>(version: u32, expected: &R) {
    let path = path::<R>(version);
    if std::env::var_os(WRITE).is_some() && !path.exists() {
        std::fs::write(&path, encode(expected).unwrap()).unwrap();
    }
    check_read(version, expected);
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(encode(expected).unwrap(), golden, "{} is what is written today", path.display());
}

fn check_read<R: Record + PartialEq + Debug>(version: u32, expected: &R) {
    let path = path::<R>(version);
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(decode::<R>(&golden).unwrap(), *expected, "{} is read as what was written", path.display());
}

#[test]
fn a_snapshot_of_version_1_is_read() {
    check_read(1, &samples::snapshot_1());
}

#[test]
fn a_snapshot_of_version_2_is_read() {
    check(2, &samples::snapshot());
}

#[test]
fn a_healthy_snapshot_of_version_1_is_read() {
    check(1, &samples::healthy());
    assert_eq!(decode::<GraphSnapshot>(&samples::healthy().snapshot).unwrap(), samples::snapshot_1());
}

#[test]
fn a_release_of_version_1_is_read() {
    check(1, &samples::release());
}

#[test]
fn an_event_of_version_1_is_read() {
    check(1, &samples::event());
}

#[test]
fn an_incident_of_version_1_is_read() {
    check(1, &samples::incident());
}

#[test]
fn an_operator_action_of_version_1_is_read() {
    check(1, &samples::action());
}

#[test]
fn a_raw_read_of_version_1_is_read() {
    check(1, &samples::raw_read());
}

#[test]
fn replacing_the_host_changes_nothing_else() {
    let bytes = encode(&samples::snapshot()).unwrap();
    for (host, cohort) in [("db", "db-1"), ("", ""), (&"h".repeat(300), "web")] {
        let renamed = schemas::codec::replace_host(&bytes, host, cohort).unwrap();
        let expected = GraphSnapshot { host: host.into(), cohort: cohort.into(), ..samples::snapshot() };
        assert_eq!(decode::<GraphSnapshot>(&renamed).unwrap(), expected);
        assert_eq!(renamed, encode(&expected).unwrap());
    }
    let renamed = |bytes: &[u8]| schemas::codec::replace_host(bytes, "db", "db");
    assert_eq!(renamed(&encode(&samples::event()).unwrap()), None, "that is no snapshot");
    assert_eq!(renamed(&samples::healthy().snapshot), None, "it would not be one of the current version");
    assert!((0..16).all(|length| renamed(&bytes[..length]).is_none()));
}

#[test]
fn an_event_in_json_has_the_documented_field_names() {
    let json = serde_json::to_value(samples::event()).unwrap();
    let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut wanted = [
        "event",
        "incident",
        "host",
        "time",
        "confidence",
        "previous",
        "initiating",
        "first_failure",
        "impact",
        "summary",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert_eq!(json["time"], "2026-01-01T00:00:00.012Z");
    assert_eq!(json["first_failure"], serde_json::Value::Null);
    assert_eq!(json["initiating"]["stage"], "initiating");
    assert_eq!(json["initiating"]["endpoint"], serde_json::Value::Null);
    assert_eq!(serde_json::from_value::<schemas::RootCauseEvent>(json).unwrap(), samples::event());
}
