//! When trouble becomes an incident, how it goes on, and when it is over.

use std::collections::{HashMap, HashSet, VecDeque};

use schemas::{EventKind, GraphSnapshot, Incident, IncidentState, RootCauseEvent, Stage, Suspect, Timestamp};

use crate::{blame::Case, config::AlarmConfig, reasons, score::Judged, suspects};

/// How many victims an event names.
const MOST_IMPACT: usize = 20;
const SWEEPS_REMEMBERED: usize = 3;

/// The incidents of one host.
#[derive(Debug)]
pub struct Tracker {
    config: AlarmConfig,
    /// The ids of the nodes that alarmed or were blamed, in each of the last sweeps.
    sweeps: VecDeque<HashSet<String>>,
    open: Vec<Tracked>,
    /// The last incident of each fingerprint.
    last_of: HashMap<String, String>,
}

/// An incident that is not over.
#[derive(Debug)]
struct Tracked {
    incident: Incident,
    /// Id of the node that is blamed; empty after a restart, until it is seen again.
    root: String,
    /// The ids of all nodes that were told to suffer.
    told: HashSet<String>,
}

/// An event and the state that the incident has after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// For the alerts topic.
    pub event: RootCauseEvent,
    /// For the incidents topic.
    pub incident: Incident,
}

impl Tracker {
    /// A tracker that goes on from the incidents that were known.
    pub fn new(config: AlarmConfig, known: impl IntoIterator<Item = Incident>) -> Tracker {
        let mut tracker = Tracker { config, sweeps: VecDeque::new(), open: Vec::new(), last_of: HashMap::new() };
        for incident in known {
            tracker.last_of.insert(incident.fingerprint.clone(), incident.incident.clone());
            if incident.state != IncidentState::Resolved {
                tracker.open.push(Tracked { incident, root: String::new(), told: HashSet::new() });
            }
        }
        tracker
    }

    /// Whether an incident of the host goes on.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The incidents that are not over.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().map(|tracked| &tracked.incident)
    }

    /// Takes a sweep in. The flag says whether threshold and persistence were met.
    pub fn sweep(&mut self, judged: &Judged, cases: &[Case]) -> (Vec<Change>, bool) {
        self.remember(judged, cases);
        let persistent: Vec<&Case> = cases.iter().filter(|case| self.persists(judged, case)).collect();
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        for case in &persistent {
            match self.open.iter().position(|tracked| tracked.is_about(judged, case)) {
                Some(at) => {
                    // The first case that matches is the worst; the others are its aftershocks.
                    if seen.insert(self.open[at].incident.incident.clone()) {
                        changes.extend(self.open[at].go_on(judged, case));
                    }
                }
                None => {
                    let tracked = self.open_incident(judged, case);
                    seen.insert(tracked.incident.incident.clone());
                    changes.push(tracked.change(EventKind::Opened));
                    self.open.push(tracked);
                }
            }
        }
        changes.extend(self.grow_quiet(judged.graph.snapshot(), &seen));
        (changes, !persistent.is_empty())
    }

    /// The host has been silent for too long.
    pub fn fall_silent(&mut self, time: Timestamp) -> Vec<Change> {
        let open = self.open.iter_mut().filter(|tracked| tracked.incident.state == IncidentState::Open);
        open.map(|tracked| {
            tracked.incident.state = IncidentState::Stale;
            tracked.incident.updated_at = time;
            tracked.change(EventKind::Stale)
        })
        .collect()
    }

    fn remember(&mut self, judged: &Judged, cases: &[Case]) {
        let nodes = cases.iter().flat_map(|case| case.alarming.iter().chain([&case.root]));
        self.sweeps.push_back(nodes.map(|&node| judged.graph.nodes()[node].id.clone()).collect());
        while self.sweeps.len() > SWEEPS_REMEMBERED {
            self.sweeps.pop_front();
        }
    }

    fn persists(&self, judged: &Judged, case: &Case) -> bool {
        // A program that starts looks like trouble for a second or two. One whose role is not known yet has a sweep more.
        let is_known = case.alarming.iter().any(|&node| judged.scores[node].is_known);
        let wanted = (self.config.sweeps_of_three as usize + usize::from(!is_known)).min(SWEEPS_REMEMBERED);
        case.alarming.iter().chain([&case.root]).any(|&node| {
            let id = &judged.graph.nodes()[node].id;
            self.sweeps.iter().filter(|sweep| sweep.contains(id)).count() >= wanted
        })
    }

    fn open_incident(&mut self, judged: &Judged, case: &Case) -> Tracked {
        let snapshot = judged.graph.snapshot();
        let fingerprint = fingerprint(judged, case);
        // Made of what it is about, so that a sweep that is taken again after a crash gives the same id.
        let seed = format!("{}\n{}\n{}\n{fingerprint}", snapshot.host, snapshot.run, snapshot.sequence);
        let id = schemas::release::sha256_hex(seed.as_bytes())[..16].to_owned();
        let previous = self.last_of.insert(fingerprint.clone(), id.clone());
        let incident = Incident {
            incident: id,
            host: snapshot.host.clone(),
            cohort: snapshot.cohort.clone(),
            state: IncidentState::Open,
            fingerprint,
            opened_at: snapshot.ended_at,
            updated_at: snapshot.ended_at,
            quiet_sweeps: 0,
            previous,
            confidence: 0.0,
            initiating: None,
            first_failure: None,
            impact: Vec::new(),
            summary: String::new(),
        };
        let mut tracked = Tracked { incident, root: String::new(), told: HashSet::new() };
        tracked.tell(judged, case);
        tracked
    }

    /// Counts a quiet sweep for each incident that this one says nothing of, and resolves those that have been quiet for long.
    fn grow_quiet(&mut self, snapshot: &GraphSnapshot, seen: &HashSet<String>) -> Vec<Change> {
        let wanted = i32::try_from(self.config.quiet_sweeps).unwrap_or(i32::MAX);
        let mut changes = Vec::new();
        self.open.retain_mut(|tracked| {
            if seen.contains(&tracked.incident.incident) {
                return true;
            }
            tracked.incident.quiet_sweeps += 1;
            if tracked.incident.quiet_sweeps < wanted {
                return true;
            }
            tracked.incident.state = IncidentState::Resolved;
            tracked.incident.updated_at = snapshot.ended_at;
            changes.push(tracked.change(EventKind::Resolved));
            false
        });
        changes
    }
}

impl Tracked {
    /// Whether a case is the same trouble, or what comes of it.
    fn is_about(&self, judged: &Judged, case: &Case) -> bool {
        let id = |node: usize| judged.graph.nodes()[node].id.as_str();
        self.incident.fingerprint == fingerprint(judged, case)
            || self.root == id(case.root)
            || self.told.contains(id(case.root))
            || case.victims.iter().any(|&victim| id(victim) == self.root || self.told.contains(id(victim)))
    }

    /// Takes in that the trouble goes on, and tells of it if there is news.
    fn go_on(&mut self, judged: &Judged, case: &Case) -> Option<Change> {
        let was_stale = self.incident.state == IncidentState::Stale;
        self.incident.quiet_sweeps = 0;
        self.incident.state = IncidentState::Open;
        let id = |node: usize| judged.graph.nodes()[node].id.as_str();
        if self.told.contains(id(case.root)) && !self.root.is_empty() {
            // A victim that makes up for lost time is an aftershock and not the cause.
            self.incident.updated_at = judged.graph.snapshot().ended_at;
            return was_stale.then(|| self.change(EventKind::Updated));
        }
        let has_new_root = self.root != id(case.root);
        let has_new_victim = case.victims.iter().any(|&victim| !self.told.contains(id(victim)));
        if !has_new_root && !has_new_victim && !was_stale {
            return None;
        }
        self.tell(judged, case);
        Some(self.change(EventKind::Updated))
    }

    fn tell(&mut self, judged: &Judged, case: &Case) {
        let nodes = judged.graph.nodes();
        let incident = &mut self.incident;
        self.root.clone_from(&nodes[case.root].id);
        self.told.remove(&self.root);
        self.told.extend(case.victims.iter().map(|&victim| nodes[victim].id.clone()));
        incident.updated_at = judged.graph.snapshot().ended_at;
        incident.confidence = confidence(case);
        incident.initiating = suspects::initiating(judged, case);
        incident.impact = suspects::impact(judged, case, MOST_IMPACT);
        incident.first_failure = first_failure(&incident.impact, judged, case);
        incident.summary = reasons::summary(judged, case);
    }

    fn change(&self, event: EventKind) -> Change {
        let incident = self.incident.clone();
        let event = RootCauseEvent {
            event,
            incident: incident.incident.clone(),
            host: incident.host.clone(),
            time: incident.updated_at,
            confidence: incident.confidence,
            previous: incident.previous.clone(),
            initiating: incident.initiating.clone(),
            first_failure: incident.first_failure.clone(),
            impact: incident.impact.clone(),
            summary: incident.summary.clone(),
        };
        Change { event, incident }
    }
}

fn fingerprint(judged: &Judged, case: &Case) -> String {
    let node = &judged.graph.nodes()[case.root];
    format!("{}|{}|{}", node.kind, node.role, case.trouble)
}

/// The victim that has been waiting for the longest.
fn first_failure(impact: &[Suspect], judged: &Judged, case: &Case) -> Option<Suspect> {
    let wait_of = |at: &usize| {
        let waits = judged.graph.dependencies(case.victims[*at]).filter_map(|(edge, _)| edge.blocked_ms);
        waits.fold(0.0, f32::max)
    };
    let first = (0..impact.len()).max_by(|a, b| wait_of(a).total_cmp(&wait_of(b)).then(b.cmp(a)))?;
    Some(Suspect { stage: Stage::FirstFailure, ..impact[first].clone() })
}

/// From 0 to 1: half at the threshold, more the further beyond it; a guess at how blame travelled, or a culprit that cannot be
/// seen, takes of it.
fn confidence(case: &Case) -> f64 {
    let beyond = f64::from(case.score) / (1.0 + f64::from(case.score));
    let basis = if case.is_observed { 1.0 } else { 0.8 };
    let known = if case.is_known { 1.0 } else { 0.5 };
    (beyond * basis * known * 100.0).round() / 100.0
}
