//! Snapshots that suddenly lack much of the host.

use graph::HostGraph;
use schemas::{Coverage, EventKind, GraphSnapshot};
use scorer::{AlarmConfig, host::Host, incident::IncidentTracker};

use crate::fixture::scored_graph;

const QUIET: &str = "process db\nprocess loop\nprocess web";
const BUSY: &str = "process db\nprocess loop cpu_pct=1.3\nprocess web";

/// Processes sweeps `from` up to `to`, of which that many processes are unreadable. Returns the
/// events.
fn sweeps(host: &mut Host, from: i64, to: i64, text: &str, n_unreadable: i64) -> Vec<EventKind> {
    let mut events = Vec::new();
    for sequence in from..to {
        let mut scored = scored_graph(sequence, text);
        let coverage = vec![Coverage { signal: "process".into(), reason: "exhausted".into(), count: n_unreadable }];
        let snapshot = GraphSnapshot { coverage, ..scored.graph.snapshot().clone() };
        if host.coverage_watch.is_blind(&snapshot) {
            continue;
        }
        scored.graph = HostGraph::new(snapshot).unwrap();
        events.extend(host.process(scored).0.into_iter().map(|change| change.event.event));
    }
    events
}

#[test]
fn blind_snapshots_neither_resolve_nor_open_an_incident() {
    let mut host = Host::new(IncidentTracker::new(AlarmConfig::default(), []), "c");
    assert_eq!(sweeps(&mut host, 0, 5, BUSY, 0), [EventKind::Opened]);
    assert_eq!(sweeps(&mut host, 5, 30, QUIET, 9), []);
    assert!(host.tracker.has_open());
    assert_eq!(sweeps(&mut host, 30, 44, QUIET, 0), [], "fourteen quiet sweeps");
    assert_eq!(sweeps(&mut host, 44, 45, QUIET, 0), [EventKind::Resolved]);
    assert_eq!(sweeps(&mut host, 45, 60, BUSY, 9), []);
}
