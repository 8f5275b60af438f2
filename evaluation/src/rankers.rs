//! The algorithms that are compared: the detective itself and others, on the same snapshots.
//!
//! Each ranker scores the nodes of a sweep in its own way. Persistence, incidents and the ranking
//! of a window are the scorer's [`Host`] for all of them.

mod dependencies;
mod random;
mod zscore;

use std::collections::HashSet;

use schemas::{EventKind, GraphSnapshot, Incident, ModelRelease, Suspect, Timestamp};
use scorer::{
    AlarmConfig, blame,
    host::Host,
    incident::IncidentTracker,
    model::{Model, ModelError},
    score::{self, ScoreError, ScoredGraph},
};

pub use dependencies::Dependencies;
pub use random::RandomRanker;
pub use zscore::ZScore;

/// Suspects, the most suspect first. Suspects with equal scores share a group.
pub type Ranking = Vec<Vec<Suspect>>;

/// An algorithm that scores and ranks the nodes of a sweep.
pub struct Ranker {
    scoring: Scoring,
    uses_blame: bool,
}

enum Scoring {
    Model(Box<Model>),
    ZScore(ZScore),
}

impl Ranker {
    /// The detective: scores by a model release, and blame, as in a scorer.
    ///
    /// # Errors
    /// If the release is invalid.
    pub fn with_model_and_blame(release: ModelRelease) -> Result<Ranker, ModelError> {
        Ok(Ranker { scoring: Scoring::Model(Box::new(Model::load(release)?)), uses_blame: true })
    }

    /// Scores by a model release, without blame. A release of the profile `classic` ranks by mean
    /// error, like the original proof of concept.
    ///
    /// # Errors
    /// If the release is invalid.
    pub fn with_model(release: ModelRelease) -> Result<Ranker, ModelError> {
        Ok(Ranker { scoring: Scoring::Model(Box::new(Model::load(release)?)), uses_blame: false })
    }

    /// Scores by robust z-scores, without a model and without blame.
    pub fn with_zscore(zscore: ZScore) -> Ranker {
        Ranker { scoring: Scoring::ZScore(zscore), uses_blame: false }
    }

    /// Starts to rank the sweeps of a host. Sweeps are kept for `span_ms` of snapshot time.
    ///
    /// The limits of open incidents do not apply: figures count every incident, and rankers without
    /// blame open one for each role.
    pub fn start(&self, alarm: AlarmConfig, span_ms: i64) -> RankerState<'_> {
        let alarm = AlarmConfig { max_open: u32::MAX, max_opened_per_minute: u32::MAX, ..alarm };
        RankerState { ranker: self, host: Host::with_window(span_ms, IncidentTracker::new(alarm, []), "") }
    }

    fn score(&self, snapshot: GraphSnapshot) -> Result<ScoredGraph, ScoreError> {
        match &self.scoring {
            Scoring::Model(model) => score::score_snapshot(model, snapshot),
            Scoring::ZScore(zscore) => zscore.score(snapshot),
        }
    }
}

/// The state of a ranker for one host: its recent sweeps and open incidents.
pub struct RankerState<'a> {
    ranker: &'a Ranker,
    host: Host,
}

/// What a ranker reports about one sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepReport {
    /// End of the sweep.
    pub time: Timestamp,
    /// Whether threshold and persistence are met.
    pub alarm: bool,
    /// Incidents that opened in this sweep.
    pub opened: Vec<Incident>,
    /// Whether an incident opened while no other was open.
    pub starts_episode: bool,
    /// Ranking of this sweep alone, without reasons.
    pub suspects: Vec<Suspect>,
}

impl RankerState<'_> {
    /// Scores and ranks the next sweep.
    ///
    /// # Errors
    /// If the snapshot is invalid, or the model fails on it.
    pub fn push(&mut self, snapshot: GraphSnapshot) -> Result<SweepReport, ScoreError> {
        let time = snapshot.ended_at;
        if self.host.coverage_watch.is_blind(&snapshot) {
            return Ok(SweepReport { time, ..SweepReport::default() });
        }
        let scored = self.ranker.score(snapshot)?;
        let candidates =
            if self.ranker.uses_blame { blame::find_root_causes(&scored) } else { blame::without_blame(&scored) };
        let was_open = self.host.tracker.has_open();
        let (changes, _) = self.host.process_with_candidates(scored, candidates);
        let opened = changes.into_iter().filter(|change| change.event.event == EventKind::Opened);
        let opened: Vec<Incident> = opened.map(|change| change.incident).collect();
        let (alarm, mut suspects) = self.host.suspects(0);
        suspects.iter_mut().for_each(|suspect| suspect.why.clear());
        Ok(SweepReport { time, alarm, starts_episode: !was_open && !opened.is_empty(), opened, suspects })
    }

    /// Ranking of the sweeps in the last `window_ms`, as `GET /api/suspects` returns it.
    pub fn ranking(&self, window_ms: i64) -> Ranking {
        group_ties(self.host.suspects(window_ms).1)
    }
}

fn group_ties(suspects: Vec<Suspect>) -> Ranking {
    let mut ranking: Ranking = Vec::new();
    for suspect in suspects {
        match ranking.last_mut() {
            Some(group) if group[0].score == suspect.score => group.push(suspect),
            _ => ranking.push(vec![suspect]),
        }
    }
    ranking
}

/// Moves the suspects with a role in `reachable` before all others. Both parts keep their order.
pub fn prefer_reachable(ranking: &Ranking, reachable: &HashSet<String>) -> Ranking {
    let part = |is_reachable: bool| {
        let is_in_part = move |suspect: &&Suspect| reachable.contains(&suspect.role) == is_reachable;
        ranking.iter().map(move |group| group.iter().filter(is_in_part).cloned().collect::<Vec<_>>())
    };
    part(true).chain(part(false)).filter(|group| !group.is_empty()).collect()
}
