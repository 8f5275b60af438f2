//! When trouble becomes an incident, how it goes on, and when it is over.

use schemas::EventKind;
use scorer::{
    AlarmConfig, blame,
    incident::{Change, Tracker},
};

use crate::fixture::judged;

const QUIET: &str = "process db\nprocess loop\nprocess web";
const BUSY: &str = "process db\nprocess loop cpu_pct=1.3\nprocess web";

struct Host {
    tracker: Tracker,
    sequence: i64,
}

impl Host {
    fn new() -> Host {
        Host { tracker: Tracker::new(AlarmConfig::default(), []), sequence: 0 }
    }

    fn sweep(&mut self, text: &str) -> Vec<Change> {
        let judged = judged(self.sequence, text);
        self.sequence += 1;
        self.tracker.sweep(&judged, &blame::cases(&judged)).0
    }

    fn sweeps(&mut self, n: usize, text: &str) -> Vec<EventKind> {
        (0..n).flat_map(|_| self.sweep(text)).map(|change| change.event.event).collect()
    }
}

#[test]
fn one_sweep_beyond_the_threshold_is_no_incident() {
    let mut host = Host::new();
    assert_eq!(host.sweeps(1, BUSY), []);
    assert_eq!(host.sweeps(30, QUIET), []);
}

#[test]
fn two_of_three_sweeps_open_an_incident_that_fifteen_quiet_ones_resolve() {
    let mut host = Host::new();
    assert_eq!(host.sweeps(1, BUSY), []);
    assert_eq!(host.sweeps(1, QUIET), []);
    assert_eq!(host.sweeps(1, BUSY), [EventKind::Opened]);
    assert_eq!(host.sweeps(20, BUSY), [], "an incident that goes on unchanged is no news");
    assert_eq!(host.sweeps(14, QUIET), []);
    assert_eq!(host.sweeps(1, QUIET), [EventKind::Resolved]);
    assert!(!host.tracker.has_open());
}

#[test]
fn a_stranger_has_a_sweep_more_because_a_start_looks_like_trouble() {
    let mut tracker = Tracker::new(AlarmConfig::default(), []);
    let opened_at = (0..5).find(|sequence| {
        let mut judged = judged(*sequence, BUSY);
        judged.scores.iter_mut().for_each(|score| score.is_known = false);
        !tracker.sweep(&judged, &blame::cases(&judged)).0.is_empty()
    });
    assert_eq!(opened_at, Some(2));
}

#[test]
fn trouble_that_returns_is_a_new_incident_that_names_the_earlier_one() {
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
fn a_sweep_that_is_taken_again_after_a_crash_gives_the_same_incident() {
    let open = || {
        let mut host = Host::new();
        host.sweep(BUSY);
        host.sweep(BUSY).remove(0).event
    };
    assert_eq!(open(), open());
}

#[test]
fn the_true_culprit_replaces_the_victim_that_was_suspected_first() {
    let waiting = "process writer blocked_ms=1.3\nprocess rotator\nfile log\nwriter > log waits-lock 2000";
    let known = format!("{waiting}\nrotator > log holds-lock");
    let mut host = Host::new();
    host.sweep(waiting);
    let opened = host.sweep(waiting).remove(0).event;
    assert_eq!(opened.initiating, None, "the holder could not be seen");
    let updated = host.sweep(&known).remove(0).event;
    assert_eq!((updated.event, &updated.incident), (EventKind::Updated, &opened.incident));
    assert_eq!(updated.initiating.unwrap().name, "rotator");
    assert_eq!(updated.impact[0].name, "writer");
}

#[test]
fn a_victim_that_makes_up_for_lost_time_does_not_take_the_blame() {
    let held = "process writer blocked_ms=1.3\nprocess rotator blocks_ms=1.3\nfile log\nwriter > rotator waits-for 2000\nwriter > log waits-lock 2000\nrotator > log holds-lock";
    let burst = "process writer cpu_pct=1.5\nprocess rotator\nfile log";
    let mut host = Host::new();
    assert_eq!(host.sweeps(2, held), [EventKind::Opened]);
    assert_eq!(host.sweeps(3, burst), []);
    assert_eq!(host.sweeps(15, QUIET), [EventKind::Resolved]);
}

#[test]
fn two_troubles_that_have_nothing_to_do_with_each_other_are_two_incidents() {
    let both = "process db memory_growth=1.3\nprocess loop cpu_pct=1.3\nprocess web";
    let mut host = Host::new();
    assert_eq!(host.sweeps(2, both), [EventKind::Opened, EventKind::Opened]);
}

#[test]
fn a_silent_host_makes_its_incident_stale_once_and_a_sweep_with_trouble_goes_on_with_it() {
    let mut host = Host::new();
    host.sweeps(2, BUSY);
    let time = schemas::Timestamp(1_767_225_700_000);
    let events = |changes: Vec<Change>| changes.into_iter().map(|change| change.event.event).collect::<Vec<_>>();
    assert_eq!(events(host.tracker.fall_silent(time)), [EventKind::Stale]);
    assert_eq!(events(host.tracker.fall_silent(time)), []);
    assert_eq!(host.sweeps(1, BUSY), [EventKind::Updated]);
}

#[test]
fn a_tracker_that_starts_anew_goes_on_with_the_open_incident() {
    let mut host = Host::new();
    host.sweep(BUSY);
    let opened = host.sweep(BUSY).remove(0);
    let mut restarted = Host { tracker: Tracker::new(AlarmConfig::default(), [opened.incident]), sequence: 2 };
    let events: Vec<_> = (0..2).flat_map(|_| restarted.sweep(BUSY)).map(|change| change.event.event).collect();
    assert_eq!(events.iter().filter(|event| **event == EventKind::Opened).count(), 0, "{events:?}");
    assert_eq!(restarted.sweeps(15, QUIET), [EventKind::Resolved]);
}
