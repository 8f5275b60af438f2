//! What is kept of one host.

use std::collections::HashMap;

use graph::Window;
use schemas::{Coverage, GraphSnapshot, Suspect, Timestamp};

use crate::{
    blame::{self, Case},
    incident::{Change, Tracker},
    score::Judged,
    suspects,
};

/// For how long rankings are kept, by snapshot time.
pub const WINDOW_MS: i64 = 120_000;
/// How many suspects of a sweep are kept.
const KEPT: usize = 50;

/// One host's sweeps and incidents.
pub struct Host {
    /// Its incidents.
    pub tracker: Tracker,
    /// The newest sweep with its scores, once one was scored.
    pub newest: Option<Judged>,
    /// What its newest snapshot does not cover.
    pub coverage: Vec<Coverage>,
    /// When its last snapshot was taken in, by the scorer's clock.
    pub heard_at: Timestamp,
    /// Its cohort.
    pub cohort: String,
    /// The partition that its snapshots come in, and so its alerts go to.
    pub partition: Option<i32>,
    position: Option<(String, i64)>,
    sweeps: Window<Ranking>,
}

struct Ranking {
    alarm: bool,
    suspects: Vec<(String, Suspect)>,
}

impl Host {
    /// A host of which nothing was heard yet.
    pub fn new(tracker: Tracker, cohort: &str) -> Host {
        Host::remembering(WINDOW_MS, tracker, cohort)
    }

    /// Such a host whose rankings are kept for so long, by snapshot time.
    pub fn remembering(span_ms: i64, tracker: Tracker, cohort: &str) -> Host {
        Host {
            tracker,
            newest: None,
            coverage: Vec::new(),
            heard_at: Timestamp::default(),
            cohort: cohort.to_owned(),
            partition: None,
            position: None,
            sweeps: Window::new(span_ms),
        }
    }

    /// Whether a snapshot is new: one that was taken already is dropped.
    pub fn is_new(&mut self, snapshot: &GraphSnapshot) -> bool {
        let is_old =
            matches!(&self.position, Some((run, sequence)) if *run == snapshot.run && snapshot.sequence <= *sequence);
        if !is_old {
            self.position = Some((snapshot.run.clone(), snapshot.sequence));
        }
        !is_old
    }

    /// Takes a scored sweep in: blame, incidents, ranking. The flag says whether anything alarmed in it.
    pub fn take(&mut self, judged: Judged) -> (Vec<Change>, bool) {
        let cases = blame::cases(&judged);
        self.take_cases(judged, cases)
    }

    /// [`Host::take`] where the sweep's cases are known.
    pub fn take_cases(&mut self, judged: Judged, cases: Vec<Case>) -> (Vec<Change>, bool) {
        let (changes, alarm) = self.tracker.sweep(&judged, &cases);
        let suspects = ranked_suspects(&judged, &cases);
        self.sweeps.push(judged.graph.snapshot().ended_at, Ranking { alarm, suspects });
        self.newest = Some(judged);
        (changes, !cases.is_empty())
    }

    /// The ranking of the sweeps that ended in the last while before the newest one: each suspect as it was at its worst. The flag
    /// says whether threshold and persistence were met in one of them.
    pub fn suspects(&self, window_ms: i64) -> (bool, Vec<Suspect>) {
        let now = self.newest.as_ref().map_or(Timestamp::default(), |judged| judged.graph.snapshot().ended_at);
        let mut alarm = false;
        let mut worst: HashMap<&str, &Suspect> = HashMap::new();
        for sweep in self.sweeps.since(now, window_ms) {
            alarm |= sweep.alarm;
            for (id, suspect) in &sweep.suspects {
                let held = worst.entry(id).or_insert(suspect);
                if suspect.score >= held.score {
                    *held = suspect;
                }
            }
        }
        let mut worst: Vec<(&str, &Suspect)> = worst.into_iter().collect();
        worst.sort_by(|(a_id, a), (b_id, b)| b.score.total_cmp(&a.score).then((a.pid, a_id).cmp(&(b.pid, b_id))));
        worst.truncate(KEPT);
        let mut suspects: Vec<Suspect> = worst.into_iter().map(|(_, suspect)| suspect.clone()).collect();
        for (suspect, rank) in suspects.iter_mut().zip(1..) {
            suspect.rank = rank;
        }
        (alarm, suspects)
    }
}

fn ranked_suspects(judged: &Judged, cases: &[Case]) -> Vec<(String, Suspect)> {
    let ranking = suspects::rank(judged, cases).into_iter().take(KEPT).zip(1..);
    ranking
        .map(|((node, score, stage), rank)| {
            (judged.graph.nodes()[node].id.clone(), suspects::suspect(judged, cases, node, rank, score, stage))
        })
        .collect()
}
