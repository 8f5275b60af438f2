//! Incidents of one host: the changes that the scorer publishes.

use graph::{Deviation, HostGraph, NodeScore};
use schemas::{Edge, GraphSnapshot, Node, Timestamp};
use scorer::{
    AlarmConfig, blame,
    incident::{Change, IncidentTracker},
    score::{ScoredColumn, ScoredGraph},
};

pub const HOST: &str = "web-1";
const BEGIN: Timestamp = Timestamp(1_767_225_600_000);
const BLOCKED_MS: usize = 0;
const BLOCKS_MS: usize = 1;

type Process = (&'static str, i64);

/// A lock on a file, its waiters, and its holder if it is known.
struct Lock {
    path: &'static str,
    holder: Option<Process>,
    waiters: &'static [Process],
}

const ONE_WAITS: Lock = Lock { path: "/var/log/app.log", holder: Some(("sh", 2003)), waiters: &[("python3", 10)] };
const TWO_WAIT: Lock = Lock { waiters: &[("python3", 10), ("python3", 11)], ..ONE_WAITS };
const UNKNOWN_HOLDER: Lock = Lock { path: "/var/lib/app/db.lock", holder: None, waiters: &[("postgres", 40)] };

/// An incident that spreads and is resolved, one that becomes stale because the host sends nothing
/// more, and one whose root cause is unknown.
pub fn changes() -> Vec<Change> {
    let mut host = Host { tracker: IncidentTracker::new(AlarmConfig::default(), []), sequence: 0 };
    let mut changes = host.sweeps(2, &[ONE_WAITS]);
    changes.extend(host.sweeps(1, &[TWO_WAIT]));
    changes.extend(host.sweeps(15, &[]));
    changes.extend(host.sweeps(2, &[ONE_WAITS]));
    host.sequence += 40;
    changes.extend(host.tracker.mark_stale(host.now()));
    changes.extend(host.sweeps(2, &[UNKNOWN_HOLDER]));
    changes
}

struct Host {
    tracker: IncidentTracker,
    sequence: i64,
}

impl Host {
    fn sweeps(&mut self, n: usize, locks: &[Lock]) -> Vec<Change> {
        (0..n).flat_map(|_| self.sweep(locks)).collect()
    }

    fn sweep(&mut self, locks: &[Lock]) -> Vec<Change> {
        self.sequence += 1;
        let mut sweep = Sweep::new(self.sequence, self.now());
        locks.iter().for_each(|lock| sweep.add(lock));
        let scored = sweep.into_scored();
        self.tracker.process_sweep(&scored, &blame::find_root_causes(&scored)).0
    }

    fn now(&self) -> Timestamp {
        Timestamp(BEGIN.0 + self.sequence * 1000)
    }
}

struct Sweep {
    snapshot: GraphSnapshot,
    scores: Vec<NodeScore>,
}

impl Sweep {
    /// A sweep with two healthy processes.
    fn new(sequence: i64, ended_at: Timestamp) -> Sweep {
        let snapshot = GraphSnapshot {
            host: HOST.to_owned(),
            cohort: HOST.to_owned(),
            run: "a1b2".to_owned(),
            sequence,
            ended_at,
            interval_ms: 1000,
            ..GraphSnapshot::default()
        };
        let mut sweep = Sweep { snapshot, scores: Vec::new() };
        sweep.process(("systemd", 1), None);
        sweep.process(("nginx", 80), None);
        sweep
    }

    fn add(&mut self, lock: &Lock) {
        let file = self.node("file", lock.path, None);
        self.snapshot.nodes[file].path = Some(lock.path.to_owned());
        let holder = lock.holder.map(|holder| self.process(holder, Some((BLOCKS_MS, 1.5))));
        if let Some(holder) = holder {
            self.edge(holder, file, "holds-lock", None);
        }
        for waiter in lock.waiters {
            let waiter = self.process(*waiter, Some((BLOCKED_MS, 1.8)));
            self.edge(waiter, file, "waits-lock", Some(2000.0));
            if let Some(holder) = holder {
                self.edge(waiter, holder, "waits-for", Some(2000.0));
            }
        }
    }

    fn process(&mut self, (name, pid): Process, deviation: Option<(usize, f32)>) -> usize {
        let index = self.node("process", name, deviation);
        let node = &mut self.snapshot.nodes[index];
        node.id = format!("p:{pid}");
        node.pid = Some(pid);
        node.start_time = Some(pid * 100);
        index
    }

    fn node(&mut self, kind: &str, name: &str, deviation: Option<(usize, f32)>) -> usize {
        self.snapshot.nodes.push(Node {
            id: format!("{kind}:{name}"),
            kind: kind.into(),
            role: name.to_owned(),
            name: name.to_owned(),
            ..Node::default()
        });
        let score = deviation.map_or(0.0, |(_, strength)| strength);
        let deviations =
            deviation.map(|(column, strength)| Deviation { column, expected: 0.0, observed: 2000.0, strength });
        self.scores.push(NodeScore { score, is_known: true, deviations: deviations.into_iter().collect() });
        self.snapshot.nodes.len() - 1
    }

    fn edge(&mut self, source: usize, target: usize, kind: &str, blocked_ms: Option<f32>) {
        let index = |node: usize| i32::try_from(node).unwrap();
        self.snapshot.edges.push(Edge {
            source: index(source),
            target: index(target),
            kind: kind.into(),
            basis: "observed".into(),
            blocked_ms,
            ..Edge::default()
        });
    }

    fn into_scored(self) -> ScoredGraph {
        let columns = ["blocked_ms", "blocks_others_ms"].map(|name| ScoredColumn::new(name, "ms".into())).to_vec();
        ScoredGraph { graph: HostGraph::new(self.snapshot).unwrap(), scores: self.scores, columns }
    }
}
