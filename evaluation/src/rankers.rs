//! Rankers to be compared: what is at work, and others, over the same snapshots by the same machinery.
//!
//! Each judges a sweep's nodes in its own way; persistence, incidents and the ranking of a window are those of [`Host`] for all.
//! Snapshots are all that any of them is given.

mod chance;
mod dependencies;
mod zscore;

use std::collections::HashSet;

use schemas::{EventKind, GraphSnapshot, Incident, ModelRelease, Suspect, Timestamp};

pub use chance::Chance;
pub use dependencies::Dependencies;
use scorer::{
    AlarmConfig, blame,
    host::Host,
    incident::IncidentTracker,
    model::{Model, ModelError},
    score::{self, Judged, ScoreError},
};
pub use zscore::ZScore;

/// One way to score and to rank.
pub struct Ranker {
    judge: Judge,
    blames: bool,
}

enum Judge {
    Model(Box<Model>),
    ZScore(ZScore),
}

impl Ranker {
    /// What is at work in a scorer that has this release.
    ///
    /// # Errors
    /// If the release is not sound.
    pub fn at_work(release: ModelRelease) -> Result<Ranker, ModelError> {
        Ok(Ranker { judge: Judge::Model(Box::new(Model::load(release)?)), blames: true })
    }

    /// A model's scores as they are, and no blame: with a release of the profile `classic`, the original's ranking by mean error.
    ///
    /// # Errors
    /// If the release is not sound.
    pub fn without_blame(release: ModelRelease) -> Result<Ranker, ModelError> {
        Ok(Ranker { judge: Judge::Model(Box::new(Model::load(release)?)), blames: false })
    }

    /// No model and no blame.
    pub fn of_zscore(zscore: ZScore) -> Ranker {
        Ranker { judge: Judge::ZScore(zscore), blames: false }
    }

    /// Begins to watch a host, whose rankings are kept for so long, by snapshot time.
    pub fn watch(&self, alarm: AlarmConfig, span_ms: i64) -> Watch<'_> {
        Watch { ranker: self, host: Host::with_window(span_ms, IncidentTracker::new(alarm, []), "") }
    }

    fn judge(&self, snapshot: GraphSnapshot) -> Result<Judged, ScoreError> {
        match &self.judge {
            Judge::Model(model) => score::judge(model, snapshot),
            Judge::ZScore(zscore) => zscore.judge(snapshot),
        }
    }
}

/// A host as one ranker sees it.
pub struct Watch<'a> {
    ranker: &'a Ranker,
    host: Host,
}

/// What a ranker said at the end of a sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    /// The end of the sweep.
    pub time: Timestamp,
    /// Whether threshold and persistence were met.
    pub alarm: bool,
    /// The incidents that it opened.
    pub opened: Vec<Incident>,
    /// Whether it opened one while none was open.
    pub ends_quiet: bool,
    /// The sweep's own ranking, without the reasons.
    pub suspects: Vec<Suspect>,
}

/// Suspects, the most suspect first; those that nothing tells apart stand together.
pub type Ranking = Vec<Vec<Suspect>>;

impl Watch<'_> {
    /// Takes the next sweep in.
    ///
    /// # Errors
    /// If the snapshot is unsound or the model fails on it.
    pub fn take(&mut self, snapshot: GraphSnapshot) -> Result<Sweep, ScoreError> {
        let time = snapshot.ended_at;
        let judged = self.ranker.judge(snapshot)?;
        let cases = if self.ranker.blames { blame::cases(&judged) } else { blame::without_blame(&judged) };
        let was_quiet = !self.host.tracker.has_open();
        let (changes, _) = self.host.process_with_cases(judged, cases);
        let opened = changes.into_iter().filter(|change| change.event.event == EventKind::Opened);
        let opened: Vec<Incident> = opened.map(|change| change.incident).collect();
        let (alarm, mut suspects) = self.host.suspects(0);
        suspects.iter_mut().for_each(|suspect| suspect.why.clear());
        Ok(Sweep { time, alarm, ends_quiet: was_quiet && !opened.is_empty(), opened, suspects })
    }

    /// The ranking of the sweeps that ended in the last while, as `GET /api/suspects` answers it.
    pub fn ranking(&self, window_ms: i64) -> Ranking {
        stand_together(self.host.suspects(window_ms).1)
    }
}

fn stand_together(suspects: Vec<Suspect>) -> Ranking {
    let mut ranking: Ranking = Vec::new();
    for suspect in suspects {
        match ranking.last_mut() {
            Some(group) if group[0].score == suspect.score => group.push(suspect),
            _ => ranking.push(vec![suspect]),
        }
    }
    ranking
}

/// A ranking by one who knows which node shows the symptom: what it depends on comes first, each part in its order. `reached`
/// holds the roles of what the symptom depends on, and its own.
pub fn from_symptom(ranking: &Ranking, reached: &HashSet<String>) -> Ranking {
    let part = |wanted: bool| {
        let is_of_part = move |suspect: &&Suspect| reached.contains(&suspect.role) == wanted;
        ranking.iter().map(move |group| group.iter().filter(is_of_part).cloned().collect::<Vec<_>>())
    };
    part(true).chain(part(false)).filter(|group| !group.is_empty()).collect()
}
