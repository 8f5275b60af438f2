//! State of one host: its incidents, its newest scored graph and its recent rankings.

mod runs;

use std::{collections::HashMap, time::Duration};

use graph::Window;
use schemas::{Coverage, Suspect, Timestamp};

use crate::{
    blame::{self, RootCauseCandidate},
    coverage::CoverageWatch,
    incident::{Change, IncidentTracker},
    score::ScoredGraph,
    suspects,
};
pub use runs::{Runs, SnapshotPosition};

/// How long rankings are kept, in milliseconds of snapshot time.
pub const WINDOW_MS: i64 = 120_000;
/// Number of suspects to keep of each sweep, and to return for a window.
const MAX_SUSPECTS: usize = 50;

/// State of one host.
pub struct Host {
    /// Its incidents.
    pub tracker: IncidentTracker,
    /// The newest scored graph; `None` until a snapshot is scored.
    pub newest: Option<ScoredGraph>,
    /// Coverage of the newest snapshot.
    pub coverage: Vec<Coverage>,
    /// Which of its snapshots are blind.
    pub coverage_watch: CoverageWatch,
    /// When its last snapshot was received, as reading time of the scorer. `None`: since the last
    /// tick.
    pub last_seen: Option<Duration>,
    /// Name of its cohort.
    pub cohort: String,
    /// Partition of its snapshots, which its alerts go to as well.
    pub partition: Option<i32>,
    /// The runs of its producer.
    pub runs: Runs,
    rankings: Window<Ranking>,
}

/// The ranking of one sweep.
struct Ranking {
    /// Whether threshold and persistence were met.
    alarm: bool,
    /// Node ids and suspects, the highest score first.
    suspects: Vec<(String, Suspect)>,
}

impl Host {
    /// State of a host of which there are no snapshots yet. It keeps the rankings of the last
    /// [`WINDOW_MS`] of snapshot time.
    pub fn new(tracker: IncidentTracker, cohort: &str) -> Host {
        Host::with_window(WINDOW_MS, tracker, cohort)
    }

    /// Like [`Host::new`], but keeps the rankings of the last `window_ms`.
    pub fn with_window(window_ms: i64, tracker: IncidentTracker, cohort: &str) -> Host {
        Host {
            tracker,
            newest: None,
            coverage: Vec::new(),
            coverage_watch: CoverageWatch::default(),
            last_seen: None,
            cohort: cohort.to_owned(),
            partition: None,
            runs: Runs::default(),
            rankings: Window::new(window_ms),
        }
    }

    /// How long it has sent no snapshot. `reading_time` is that of the scorer.
    pub fn silence(&self, reading_time: Duration) -> Duration {
        self.last_seen.map_or(Duration::ZERO, |last_seen| reading_time.saturating_sub(last_seen))
    }

    /// Processes a scored graph of a snapshot that is not blind: finds root causes, updates
    /// incidents and ranks suspects. Returns the changes of incidents, and whether any node
    /// alarmed.
    pub fn process(&mut self, scored: ScoredGraph) -> (Vec<Change>, bool) {
        let candidates = blame::find_root_causes(&scored);
        self.process_with_candidates(scored, candidates)
    }

    /// [`Host::process`] with given root causes.
    pub fn process_with_candidates(
        &mut self,
        scored: ScoredGraph,
        candidates: Vec<RootCauseCandidate>,
    ) -> (Vec<Change>, bool) {
        let (changes, alarm) = self.tracker.process_sweep(&scored, &candidates);
        let suspects = rank_suspects(&scored, &candidates);
        self.rankings.push(scored.graph.snapshot().ended_at, Ranking { alarm, suspects });
        self.newest = Some(scored);
        (changes, !candidates.is_empty())
    }

    /// Ranks the suspects of the sweeps in the last `window_ms` before the newest sweep, each with
    /// its highest score. The flag says whether threshold and persistence were met in one of them.
    pub fn suspects(&self, window_ms: i64) -> (bool, Vec<Suspect>) {
        let now = self.newest.as_ref().map_or(Timestamp::default(), |newest| newest.graph.snapshot().ended_at);
        let mut alarm = false;
        let mut highest: HashMap<&str, &Suspect> = HashMap::new();
        for ranking in self.rankings.since(now, window_ms) {
            alarm |= ranking.alarm;
            for (id, suspect) in &ranking.suspects {
                let entry = highest.entry(id).or_insert(suspect);
                if suspect.score >= entry.score {
                    *entry = suspect;
                }
            }
        }
        let mut ranked: Vec<(&str, &Suspect)> = highest.into_iter().collect();
        ranked.sort_by(|(a_id, a), (b_id, b)| b.score.total_cmp(&a.score).then((a.pid, a_id).cmp(&(b.pid, b_id))));
        ranked.truncate(MAX_SUSPECTS);
        let mut suspects: Vec<Suspect> = ranked.into_iter().map(|(_, suspect)| suspect.clone()).collect();
        for (suspect, rank) in suspects.iter_mut().zip(1..) {
            suspect.rank = rank;
        }
        (alarm, suspects)
    }
}

fn rank_suspects(scored: &ScoredGraph, candidates: &[RootCauseCandidate]) -> Vec<(String, Suspect)> {
    let ranking = suspects::rank(scored, candidates).into_iter().take(MAX_SUSPECTS).zip(1..);
    ranking
        .map(|(ranked, rank)| {
            (scored.graph.nodes()[ranked.node].id.clone(), suspects::to_suspect(scored, candidates, &ranked, rank))
        })
        .collect()
}
