//! Incidents of hosts with very many abnormal nodes: their number is limited, and what is over the
//! limits is reported together.

use std::fmt::Write;

use expect_test::expect;
use schemas::{EventKind, Incident, Stage};
use scorer::{
    AlarmConfig, blame,
    incident::{Change, IncidentTracker},
    suspects,
};

use crate::fixture::scored_graph;

/// Letters, because the fixture removes digits from a name to get its role.
fn name(n: usize) -> String {
    [n / 676 % 26, n / 26 % 26, n % 26].into_iter().map(|digit| (b'a' + digit as u8) as char).collect()
}

/// `n` processes with different roles and the same symptom, in one control group.
fn abnormal(n: usize, symptom: &str) -> String {
    let mut sweep = "cgroup user.slice\nprocess quiet\n".to_owned();
    for at in 0..n {
        let name = name(at);
        let _ = writeln!(sweep, "process p-{name} {symptom}\np-{name} > user.slice member-of");
    }
    sweep
}

struct Host {
    tracker: IncidentTracker,
    sequence: i64,
}

impl Host {
    fn new() -> Host {
        Host::restarted([])
    }

    fn restarted(known: impl IntoIterator<Item = Incident>) -> Host {
        Host { tracker: IncidentTracker::new(AlarmConfig::default(), known), sequence: 0 }
    }

    fn sweep(&mut self, text: &str) -> Vec<Change> {
        let scored = scored_graph(self.sequence, text);
        self.sequence += 1;
        self.tracker.process_sweep(&scored, &blame::find_root_causes(&scored)).0
    }

    /// Event and summary of each change in `n` equal sweeps.
    fn sweeps(&mut self, n: usize, text: &str) -> Vec<String> {
        let changes: Vec<Change> = (0..n).flat_map(|_| self.sweep(text)).collect();
        changes.iter().map(|change| format!("{} {}", change.event.event, change.event.summary)).collect()
    }
}

#[test]
fn three_hundred_stopped_processes_are_one_incident() {
    let mut host = Host::new();
    let stopped = abnormal(300, "stopped=1.5");
    assert_eq!(host.sweeps(1, &stopped), [""; 0]);
    let opened = host.sweep(&stopped);
    let [Change { event, .. }] = opened.as_slice() else { panic!("expected one event, found {}", opened.len()) };
    expect!["300 processes in cgroup `user.slice`: stopped by a signal; no common root cause is visible"]
        .assert_eq(&event.summary);
    assert_eq!((event.event, &event.initiating, event.impact.len()), (EventKind::Opened, &None, 20));
    assert!(event.impact.iter().all(|suspect| suspect.stage == Stage::Initiating && !suspect.why.is_empty()));
    assert_eq!(host.sweeps(30, &stopped), [""; 0], "an unchanged incident causes no event");
    let resolved = host.sweeps(15, "process quiet\nprocess other");
    assert_eq!(resolved.len(), 1);
    assert!(resolved[0].starts_with("resolved 300 processes"), "{resolved:?}");
}

#[test]
fn a_collective_incident_is_updated_when_the_number_of_its_root_causes_doubles() {
    let mut host = Host::new();
    let mut events = Vec::new();
    for n in 20..200 {
        events.extend(host.sweeps(1, &abnormal(n, "stopped=1.5")));
    }
    let counts: Vec<&str> = events.iter().map(|event| event.split(" in cgroup").next().unwrap()).collect();
    assert_eq!(
        counts,
        ["opened 20 processes", "updated 40 processes", "updated 80 processes", "updated 160 processes"]
    );
}

#[test]
fn a_collective_incident_continues_after_a_restart_and_after_silence() {
    let stopped = abnormal(300, "stopped=1.5");
    let mut host = Host::new();
    host.sweep(&stopped);
    let opened = host.sweep(&stopped).remove(0);
    let mut restarted = Host::restarted([opened.incident.clone()]);
    restarted.sequence = 2;
    let stale = restarted.tracker.mark_stale(schemas::Timestamp(1_767_225_700_000)).remove(0);
    assert_eq!(stale.event.event, EventKind::Stale);
    let changes: Vec<Change> = (0..3).flat_map(|_| restarted.sweep(&stopped)).collect();
    let events: Vec<_> = changes.iter().map(|change| (change.event.event, &change.event.incident)).collect();
    assert_eq!(events, [(EventKind::Updated, &opened.event.incident)]);
}

#[test]
fn root_causes_over_the_limits_share_one_incident_and_the_rest_keep_their_own() {
    let mut host = Host::new();
    // Eight minutes of new processes, each with one of four symptoms in turn.
    let mut opened = Vec::new();
    let mut most = 0;
    for n in 0..480 {
        let mut sweep = "process quiet\nprocess other\n".to_owned();
        for at in 0..n {
            let symptom = ["stopped", "cpu_pct", "memory_growth", "zombies"][at % 4];
            let _ = writeln!(sweep, "process p-{} {symptom}=1.5", name(at));
        }
        opened.extend(host.sweep(&sweep).into_iter().filter(|change| change.event.event == EventKind::Opened));
        most = most.max(host.tracker.open().count());
    }
    assert_eq!(most, 21, "twenty incidents, and one for what is over the limit");
    assert_eq!(opened.len(), 21);
    let overflow: Vec<_> = opened.iter().filter(|change| change.event.initiating.is_none()).collect();
    let [overflow] = overflow.as_slice() else { panic!("expected one collective incident") };
    expect!["1 more root cause over the limit of incidents: growth of private memory (1 process)"]
        .assert_eq(&overflow.event.summary);
    let minute = |change: &Change| change.event.time.0 / 60_000;
    let first = opened.iter().filter(|change| minute(change) == minute(&opened[0])).count();
    assert_eq!(first, 11, "ten incidents in a minute, and one for what is over the limit");
}

#[test]
fn another_failure_opens_its_own_incident_beside_a_collective_one() {
    let mut host = Host::new();
    let stopped = abnormal(50, "stopped=1.5");
    host.sweeps(2, &stopped);
    let opened = host.sweeps(2, &format!("{stopped}process loop cpu_pct=1.6\n"));
    assert_eq!(opened, ["opened loop (pid 152): CPU use: 160 %, normally 0 %"]);
}

#[test]
fn what_explains_the_root_causes_of_a_collective_incident_opens_its_own() {
    let mut host = Host::new();
    let mut waiters = String::new();
    let mut waits = String::new();
    for at in 0..30 {
        let name = name(at);
        let _ = writeln!(waiters, "process p-{name} blocked_ms=1.5");
        let _ = writeln!(waits, "p-{name} > database waits-for 1000");
    }
    assert_eq!(host.sweeps(2, &waiters).len(), 1, "a collective incident");
    let opened = host.sweeps(3, &format!("{waiters}process database stopped=1.6\n{waits}"));
    expect!["opened database (pid 130): stopped by a signal; 30 other nodes affected"].assert_eq(&opened.join("\n"));
}

#[test]
fn a_long_chain_of_waiters_has_one_root_cause_and_a_long_cycle_ends() {
    let n = 3000;
    let mut chain = String::new();
    for at in 0..n {
        let _ = writeln!(chain, "process p{at} blocked_ms=1.5 blocks_others_ms=1.4");
    }
    for at in 1..n {
        let _ = writeln!(chain, "p{at} > p{} waits-for 1000", at - 1);
    }
    let scored = scored_graph(0, &chain);
    let candidates = blame::find_root_causes(&scored);
    let [candidate] = candidates.as_slice() else { panic!("expected one root cause, found {}", candidates.len()) };
    assert_eq!((scored.graph.nodes()[candidate.root].name.as_str(), candidate.affected.len()), ("p0", n - 1));
    assert_eq!(suspects::rank(&scored, &candidates)[0].node, candidate.root);
    let cycle = scored_graph(0, &format!("{chain}p0 > p{} waits-for 1000", n - 1));
    assert_eq!(blame::find_root_causes(&cycle).len(), 1);
}

#[test]
fn thousands_of_nodes_that_lack_a_resource_blame_its_consumer() {
    let mut sweep = "process hog cpu_pct=1.2\nprocess second cpu_pct=1.1\n".to_owned();
    for at in 0..4000 {
        let _ = writeln!(sweep, "process p-{} run_delay_pct=1.5", name(at));
    }
    let scored = scored_graph(0, &sweep);
    let candidates = blame::find_root_causes(&scored);
    let roots = candidates.iter().map(|it| (scored.graph.nodes()[it.root].name.as_str(), it.affected.len()));
    assert_eq!(roots.collect::<Vec<_>>(), [("hog", 4000), ("second", 0)]);
}
