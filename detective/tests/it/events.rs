//! Events read by an independent Avro library.

use std::{path::Path, process::Command};

use schemas::EventKind;

use crate::processes::{ScopedChild, UpProcess};

#[test]
#[ignore = "needs python with fastavro"]
fn an_independent_avro_library_decodes_events_with_the_committed_schema() {
    let python = std::env::var_os("DETECTIVE_PYTHON").expect("DETECTIVE_PYTHON names a python with fastavro");
    let folder = tempfile::tempdir().unwrap();
    let worker = ScopedChild::shell("while :; do sleep 0.2; done");
    let up = UpProcess::start(folder.path());
    up.wait_until_ready();
    let pid = rustix::process::Pid::from_child(&worker.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let is_ours = |event: &schemas::RootCauseEvent| {
        event.event == EventKind::Opened
            && event.initiating.as_ref().is_some_and(|suspect| suspect.pid == Some(worker.pid()))
    };
    let event = up.event(is_ours);
    up.terminate();

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(here.join("tests/it/read_events.py"))
        .args([folder.path().join("bus.sqlite"), here.join("../schemas/root_cause_event.avsc")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let found =
        read.iter().find(|read| read["incident"] == event.incident.as_str() && read["event"] == "opened").unwrap();
    assert_eq!(found["summary"], event.summary.as_str());
    assert_eq!(found["initiating"]["pid"], worker.pid());
    assert_eq!(found["time"], event.time.0);
    assert_eq!(found["impact"].as_array().unwrap().len(), event.impact.len());
}
