//! When incidents open, change, become stale and are resolved.

use schemas::EventKind;
use scorer::{
    AlarmConfig, blame,
    incident::{Change, IncidentTracker},
};

use crate::fixture::scored_graph;

const QUIET: &str = "process db\nprocess loop\nprocess web";
const BUSY: &str = "process db\nprocess loop cpu_pct=1.3\nprocess web";

struct Host {
    tracker: IncidentTracker,
    sequence: i64,
}

impl Host {
    fn new() -> Host {
        Host { tracker: IncidentTracker::new(AlarmConfig::default(), []), sequence: 0 }
    }

    fn sweep(&mut self, text: &str) -> Vec<Change> {
        let scored = scored_graph(self.sequence, text);
        self.sequence += 1;
        self.tracker.process_sweep(&scored, &blame::find_root_causes(&scored)).0
    }

    fn sweeps(&mut self, n: usize, text: &str) -> Vec<EventKind> {
        (0..n).flat_map(|_| self.sweep(text)).map(|change| change.event.event).collect()
    }
}

#[test]
fn one_alarming_sweep_opens_no_incident() {
    let mut host = Host::new();
    assert_eq!(host.sweeps(1, BUSY), []);
    assert_eq!(host.sweeps(30, QUIET), []);
}

#[test]
fn two_of_three_sweeps_open_an_incident_and_fifteen_quiet_sweeps_resolve_it() {
    let mut host = Host::new();
    assert_eq!(host.sweeps(1, BUSY), []);
    assert_eq!(host.sweeps(1, QUIET), []);
    assert_eq!(host.sweeps(1, BUSY), [EventKind::Opened]);
    assert_eq!(host.sweeps(20, BUSY), [], "an unchanged incident causes no event");
    assert_eq!(host.sweeps(14, QUIET), []);
    assert_eq!(host.sweeps(1, QUIET), [EventKind::Resolved]);
    assert!(!host.tracker.has_open());
}

#[test]
fn an_unknown_role_must_alarm_in_three_sweeps_because_starting_processes_deviate() {
    let mut tracker = IncidentTracker::new(AlarmConfig::default(), []);
    let opened_at = (0..5).find(|sequence| {
        let mut scored = scored_graph(*sequence, BUSY);
        scored.scores.iter_mut().for_each(|score| score.is_known = false);
        !tracker.process_sweep(&scored, &blame::find_root_causes(&scored)).0.is_empty()
    });
    assert_eq!(opened_at, Some(2));
}

#[test]
fn a_recurrence_is_a_new_incident_that_names_the_previous_one() {
    let mut host = Host::new();
    host.sweep(BUSY);
    let first = host.sweep(BUSY).remove(0).event;
    host.sweeps(20, QUIET);
    host.sweep(BUSY);
    let second = host.sweep(BUSY).remove(0).event;
    assert_eq!(second.event, EventKind::Opened);
    assert_ne!(second.incident, first.incident);
    assert_eq!(second.previous, Some(first.incident));
}

#[test]
fn the_same_sweeps_give_the_same_incident_id() {
    let open = || {
        let mut host = Host::new();
        host.sweep(BUSY);
        host.sweep(BUSY).remove(0).event
    };
    assert_eq!(open(), open());
}

#[test]
fn the_root_cause_is_updated_when_the_lock_holder_becomes_visible() {
    let waiting = "process writer blocked_ms=1.3\nprocess rotator\nfile log\nwriter > log waits-lock 2000";
    let known = format!("{waiting}\nrotator > log holds-lock");
    let mut host = Host::new();
    host.sweep(waiting);
    let opened = host.sweep(waiting).remove(0).event;
    assert_eq!(opened.initiating, None, "the holder is not visible");
    let updated = host.sweep(&known).remove(0).event;
    assert_eq!((updated.event, &updated.incident), (EventKind::Updated, &opened.incident));
    assert_eq!(updated.initiating.unwrap().name, "rotator");
    assert_eq!(updated.impact[0].name, "writer");
}

#[test]
fn an_affected_node_that_catches_up_is_not_blamed() {
    let held = "process writer blocked_ms=1.3\nprocess rotator blocks_others_ms=1.3\nfile log\nwriter > rotator waits-for 2000\nwriter > log waits-lock 2000\nrotator > log holds-lock";
    let burst = "process writer cpu_pct=1.5\nprocess rotator\nfile log";
    let mut host = Host::new();
    assert_eq!(host.sweeps(2, held), [EventKind::Opened]);
    assert_eq!(host.sweeps(3, burst), []);
    assert_eq!(host.sweeps(15, QUIET), [EventKind::Resolved]);
}

#[test]
fn two_unrelated_root_causes_are_two_incidents() {
    let both = "process db memory_growth=1.3\nprocess loop cpu_pct=1.3\nprocess web";
    let mut host = Host::new();
    assert_eq!(host.sweeps(2, both), [EventKind::Opened, EventKind::Opened]);
}

#[test]
fn a_silent_host_makes_its_incident_stale_once_and_an_alarming_sweep_continues_it() {
    let mut host = Host::new();
    host.sweeps(2, BUSY);
    let time = schemas::Timestamp(1_767_225_700_000);
    let events = |changes: Vec<Change>| changes.into_iter().map(|change| change.event.event).collect::<Vec<_>>();
    assert_eq!(events(host.tracker.mark_stale(time)), [EventKind::Stale]);
    assert_eq!(events(host.tracker.mark_stale(time)), []);
    assert_eq!(host.sweeps(1, BUSY), [EventKind::Updated]);
}

#[test]
fn a_restarted_tracker_continues_the_open_incident() {
    let mut host = Host::new();
    host.sweep(BUSY);
    let opened = host.sweep(BUSY).remove(0);
    let mut restarted = Host { tracker: IncidentTracker::new(AlarmConfig::default(), [opened.incident]), sequence: 2 };
    let events: Vec<_> = (0..2).flat_map(|_| restarted.sweep(BUSY)).map(|change| change.event.event).collect();
    assert_eq!(events.iter().filter(|event| **event == EventKind::Opened).count(), 0, "{events:?}");
    assert_eq!(restarted.sweeps(15, QUIET), [EventKind::Resolved]);
}
