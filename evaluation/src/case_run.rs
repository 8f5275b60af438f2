//! Runs all rankers over the snapshots of one case.

use std::collections::HashSet;

use anyhow::Context;
use schemas::{GraphSnapshot, Suspect, Timestamp};
use service::Hint;

use crate::{
    case::{CaseFormat, CaseInput},
    case_snapshots::{self, adapt_to_profile},
    false_alarms::days_per_sweep,
    json_lines::Phase,
    rankers::{Dependencies, RandomRanker, Ranking, SweepReport, prefer_reachable},
    training::{RankerStates, TRAINED_RANKERS, TrainedRankers},
};

/// The ranking of a recording covers this time before [`CaseInput::rank_at`], as the request
/// `GET /api/suspects?window=12s` does.
const WINDOW_MS: i64 = 12_000;
const TIMES_HINT: &str = "a recording begins before its fault and ends after it, and times are seconds since 1970";

/// What all rankers report about one case.
#[derive(Clone, Debug)]
pub struct CaseRun {
    /// Nodes that could be the root cause.
    pub candidates: Vec<Suspect>,
    /// In the order of [`TRAINED_RANKERS`], then `random`.
    pub rankers: Vec<RankerRun>,
}

/// What one ranker reports about one case.
#[derive(Clone, Debug, Default)]
pub struct RankerRun {
    /// Its ranking.
    pub ranking: Ranking,
    /// Its ranking given the symptom. `None`: the case has no symptom.
    pub ranking_with_hint: Option<Ranking>,
    /// Its report about each sweep. `None` for `random`, which does not alarm.
    pub sweeps: Option<Vec<SweepReport>>,
    /// Length of a sweep's interval in days.
    pub days_per_sweep: f64,
}

/// How long rankers keep sweeps, in milliseconds of snapshot time: they are ranked over all of a
/// foreign graph, and over a window of a recording.
pub fn window_ms(format: CaseFormat) -> i64 {
    match format {
        CaseFormat::JsonLines => i64::MAX,
        CaseFormat::Recording => WINDOW_MS,
    }
}

/// Runs all rankers over a case. Their states may have seen earlier sweeps of the same host.
///
/// # Errors
/// If a snapshot is malformed or invalid, there is none at the time of the ranking, or a candidate
/// or the symptom is in no snapshot.
pub fn run_case(input: &CaseInput, trained: &TrainedRankers, states: &mut RankerStates<'_>) -> anyhow::Result<CaseRun> {
    let mut progress = Progress::new(input, trained, states);
    for entry in case_snapshots::open(input)? {
        let (phase, snapshot) = entry?;
        if phase == Phase::Faulty {
            let context = || format!("`{}`, snapshot {}", input.file, snapshot.sequence);
            progress.push(&snapshot).with_context(context)?;
        }
    }
    if progress.days_per_sweep == 0.0 {
        return Err(anyhow::anyhow!("`{}` has no snapshots of the phase `faulty`", input.file))
            .hint("rankers need at least one");
    }
    progress.finish()
}

/// A case that is being run.
struct Progress<'a, 'b> {
    input: &'a CaseInput,
    trained: &'a TrainedRankers,
    window_ms: i64,
    states: &'a mut RankerStates<'b>,
    sweeps: [Vec<SweepReport>; 3],
    random: RandomRanker,
    dependencies: Dependencies,
    roles: HashSet<String>,
    days_per_sweep: f64,
    newest: Timestamp,
    /// The rankings at [`CaseInput::rank_at`], once that time has passed.
    rankings: Option<Rankings>,
}

struct Rankings {
    trained: [Ranking; 3],
    suspects: Vec<Suspect>,
}

impl<'a, 'b> Progress<'a, 'b> {
    fn new(input: &'a CaseInput, trained: &'a TrainedRankers, states: &'a mut RankerStates<'b>) -> Self {
        let window_ms = window_ms(input.format);
        Progress {
            input,
            trained,
            window_ms,
            states,
            sweeps: Default::default(),
            random: RandomRanker::new(window_ms),
            dependencies: Dependencies::default(),
            roles: HashSet::new(),
            days_per_sweep: 0.0,
            newest: Timestamp::default(),
            rankings: None,
        }
    }

    fn push(&mut self, snapshot: &GraphSnapshot) -> anyhow::Result<()> {
        let is_past = self.input.rank_at.is_some_and(|rank_at| snapshot.ended_at > rank_at);
        if is_past && self.rankings.is_none() {
            self.rankings = Some(self.take_rankings());
        }
        self.random.push(snapshot);
        self.dependencies.push(snapshot);
        self.roles.extend(snapshot.nodes.iter().map(|node| node.role.clone()));
        self.days_per_sweep = days_per_sweep(snapshot);
        self.newest = snapshot.ended_at;
        let states = self.states.iter_mut().zip(&mut self.sweeps).zip(TRAINED_RANKERS);
        for (ranker, ((state, sweeps), (_, profile))) in states.enumerate() {
            let mut sweep = state.push(adapt_to_profile(profile, self.input.format, snapshot.clone()))?;
            // Only the timeline of the first ranker is drawn, and a day of all suspects would not
            // fit into memory.
            if ranker > 0 {
                sweep.suspects = Vec::new();
            }
            sweeps.push(sweep);
        }
        Ok(())
    }

    fn take_rankings(&self) -> Rankings {
        Rankings {
            trained: self.states.each_ref().map(|state| state.ranking(self.window_ms)),
            suspects: self.random.suspects(self.window_ms),
        }
    }

    fn finish(mut self) -> anyhow::Result<CaseRun> {
        let missing_ms = self.input.rank_at.map_or(0, |rank_at| rank_at.millis_since(self.newest));
        if missing_ms > WINDOW_MS {
            let missing = missing_ms / 1000;
            return Err(anyhow::anyhow!("`{}` ends {missing} s before `t_end`", self.input.file)).hint(TIMES_HINT);
        }
        let rankings = self.rankings.take().unwrap_or_else(|| self.take_rankings());
        if rankings.suspects.is_empty() {
            return Err(anyhow::anyhow!("`{}` has no suspects before `t_end`", self.input.file)).hint(TIMES_HINT);
        }
        let candidates = if self.input.candidates.is_empty() { rankings.suspects } else { self.listed_candidates()? };
        let reachable = self.reachable_from_symptom()?;
        let run = |ranking: Ranking, sweeps| RankerRun {
            ranking_with_hint: reachable
                .as_ref()
                .map(|reachable| prefer_reachable(&append_unranked(&ranking, &candidates), reachable)),
            ranking,
            sweeps,
            days_per_sweep: self.days_per_sweep,
        };
        let trained = rankings.trained.into_iter().zip(self.sweeps);
        let mut rankers: Vec<RankerRun> = trained
            .map(|(ranking, sweeps)| run(retain_candidates(ranking, &self.input.candidates), Some(sweeps)))
            .collect();
        rankers.push(run(vec![candidates.clone()], None));
        Ok(CaseRun { candidates, rankers })
    }

    /// The role of the symptom and all roles that it depends on.
    fn reachable_from_symptom(&self) -> anyhow::Result<Option<HashSet<String>>> {
        let Some(symptom) = &self.input.symptom else { return Ok(None) };
        self.check_seen(symptom, "symptom")?;
        Ok(Some(self.dependencies.reachable_from(symptom)))
    }

    fn check_seen(&self, role: &String, what: &str) -> anyhow::Result<()> {
        if self.roles.contains(role) || self.trained.roles.contains(role) {
            return Ok(());
        }
        Err(anyhow::anyhow!("`{}`: the {what} `{role}` is in no snapshot", self.input.file))
            .hint(format!("a {what} is the id of a node"))
    }

    fn listed_candidates(&self) -> anyhow::Result<Vec<Suspect>> {
        let candidates = &self.input.candidates;
        candidates.iter().try_for_each(|role| self.check_seen(role, "candidate"))?;
        Ok(candidates.iter().map(|role| Suspect::unscored("".into(), role, role)).collect())
    }
}

/// Drops suspects that are not candidates. An empty list means that all are.
fn retain_candidates(ranking: Ranking, candidates: &[String]) -> Ranking {
    if candidates.is_empty() {
        return ranking;
    }
    let is_candidate = |suspect: &Suspect| candidates.contains(&suspect.role);
    let groups = ranking.into_iter().map(|group| group.into_iter().filter(is_candidate).collect::<Vec<_>>());
    groups.filter(|group| !group.is_empty()).collect()
}

/// Appends the candidates that were not ranked, as one group of ties.
fn append_unranked(ranking: &Ranking, candidates: &[Suspect]) -> Ranking {
    let ranked: HashSet<&str> = ranking.iter().flatten().map(|suspect| suspect.role.as_str()).collect();
    let unranked = candidates.iter().filter(|candidate| !ranked.contains(candidate.role.as_str())).cloned();
    ranking.iter().cloned().chain([unranked.collect()]).collect()
}
