//! Learning from a healthy stream, as the trainer does at work, and counting false alarms where nothing was wrong.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use graph::{HostGraph, Profile};
use schemas::{GraphSnapshot, ModelRelease, Timestamp};
use scorer::AlarmConfig;
use service::Hint;
use tokio_util::sync::CancellationToken;
use trainer::{
    Progress, TrainerError, TrainingConfig, TrainingJob,
    dataset::{self, Dataset},
    sampler::Sampler,
};

use super::{
    cases::{Form, Question},
    lines::Phase,
    rankers::{Ranker, Sweep, Watch, ZScore},
    stream,
};

/// The rankers that look at snapshots, in the order in which they are shown.
pub const LEARNERS: [(&str, Profile); 3] =
    [("detective", Profile::Default), ("classic", Profile::Classic), ("zscore", Profile::Default)];

/// Fitting is ended by the loss alone: by the clock, it would not be the same twice.
const NO_HURRY: Duration = Duration::from_secs(24 * 3600);

/// What was learned from one healthy stream.
pub struct Learned {
    /// In the order of [`LEARNERS`].
    pub rankers: [Ranker; 3],
    /// The roles that were seen.
    pub roles: HashSet<String>,
    /// The healthy time that was watched apart from it, for each ranker; none if the stream is too short, or other stretches
    /// are watched.
    pub quiet: Option<[Quiet; 3]>,
}

/// Healthy time, and what was told in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quiet {
    /// Incidents opened.
    pub incidents: usize,
    /// Those of them that were opened while none was open.
    pub episodes: usize,
    /// How long it was.
    pub days: f64,
}

/// One host as each of [`LEARNERS`] sees it.
pub type Watches<'a> = [Watch<'a>; 3];

/// How to learn.
#[derive(Clone)]
pub struct School {
    /// How models are made, as at work.
    pub training: TrainingConfig,
    /// When an incident is opened and when it is over, as at work.
    pub alarm: AlarmConfig,
    /// Cancelled when all is to end.
    pub shutdown: CancellationToken,
}

impl School {
    /// Learns from what is healthy for a question.
    ///
    /// # Errors
    /// If there is no such stream, or it holds too little.
    pub fn learn(&self, of: &Question) -> anyhow::Result<Learned> {
        let name = of.learned_from();
        let what = || format!("cannot learn from the healthy stream `{name}`");
        let mut roles = HashSet::new();
        let mut sampler = Sampler::new(self.training.max_snapshots);
        let mut count = 0;
        for snapshot in healthy(of).with_context(what)? {
            let snapshot = snapshot?;
            roles.extend(snapshot.nodes.iter().map(|node| node.role.clone()));
            sampler.push(schemas::encode(&snapshot)?);
            count += 1;
        }
        let more = |error: &anyhow::Error| is_too_few(error).then_some("give it more snapshots that are healthy");
        let rankers = self.rankers(of.form, name, sampler.finish()).hint_from(more).with_context(what)?;
        let quiet = if of.form == Form::Lines { self.quiet(of, name, count)? } else { None };
        Ok(Learned { rankers, roles, quiet })
    }

    /// Learns from the first two thirds of a stream, by models that never judge, and watches the last third.
    fn quiet(&self, of: &Question, name: &str, count: usize) -> anyhow::Result<Option<[Quiet; 3]>> {
        let until = count * 2 / 3;
        let mut sampler = Sampler::new(self.training.max_snapshots);
        for snapshot in healthy(of)?.take(until) {
            sampler.push(schemas::encode(&snapshot?)?);
        }
        let rankers = match self.rankers(of.form, name, sampler.finish()) {
            Err(error) if is_too_few(&error) => return Ok(None),
            rankers => rankers?,
        };
        let mut watches = self.watch(&rankers, 0);
        let mut quiet = [Quiet::default(); 3];
        for snapshot in healthy(of)?.skip(until) {
            let snapshot = snapshot?;
            let days = days(&snapshot);
            for ((quiet, watch), (_, profile)) in quiet.iter_mut().zip(&mut watches).zip(LEARNERS) {
                quiet.take(&watch.take(stream::as_seen_by(profile, of.form, snapshot.clone()))?, days);
            }
        }
        Ok(Some(quiet))
    }

    /// A host, as each ranker begins to watch it.
    pub fn watch<'a>(&self, rankers: &'a [Ranker; 3], window_ms: i64) -> Watches<'a> {
        rankers.each_ref().map(|ranker| ranker.watch(self.alarm.clone(), window_ms))
    }

    fn rankers(&self, form: Form, name: &str, encoded: Vec<Vec<u8>>) -> anyhow::Result<[Ranker; 3]> {
        let default = self.train(form, name, Profile::Default, &encoded)?;
        let classic = self.train(form, name, Profile::Classic, &encoded)?;
        let snapshots = dataset::decode(encoded, self.training.max_nodes);
        let held_back: Vec<HostGraph> = Dataset::new(name, Profile::Default, snapshots)?.calibration_set;
        let zscore = ZScore::new(&default, &held_back, self.training.false_alarms_per_day);
        Ok([Ranker::at_work(default)?, Ranker::without_blame(classic)?, Ranker::of_zscore(zscore)])
    }

    fn train(&self, form: Form, name: &str, profile: Profile, encoded: &[Vec<u8>]) -> anyhow::Result<ModelRelease> {
        let mut training = self.training.clone();
        training.max_time = NO_HURRY;
        let snapshots = dataset::decode(encoded.to_vec(), training.max_nodes);
        let snapshots = snapshots.into_iter().map(|snapshot| stream::as_seen_by(profile, form, snapshot)).collect();
        let job = TrainingJob {
            cohort: name.to_owned(),
            generation: 0,
            profile,
            created_at: Timestamp(0),
            snapshots,
            earlier_limits: Vec::new(),
        };
        Ok(trainer::train(&training, job, &self.shutdown, &Progress::hidden())?)
    }
}

impl Quiet {
    /// Counts what was said of a sweep that stands for so much of a day.
    pub fn take(&mut self, sweep: &Sweep, days: f64) {
        self.incidents += sweep.opened.len();
        self.episodes += usize::from(sweep.ends_quiet);
        self.days += days;
    }
}

fn is_too_few(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(TrainerError::TooFewSnapshots { .. }))
}

/// How much of a day a sweep stands for.
pub fn days(snapshot: &GraphSnapshot) -> f64 {
    snapshot.interval_ms.max(1) as f64 / 86_400_000.0
}

/// The healthy snapshots that a question names.
fn healthy(of: &Question) -> anyhow::Result<impl Iterator<Item = anyhow::Result<GraphSnapshot>>> {
    let seen = stream::open(of.form, &of.folder, of.learned_from(), &of.system, true)?;
    Ok(seen.filter_map(|seen| match seen {
        Ok((Phase::Healthy, snapshot)) => Some(Ok(snapshot)),
        Ok((Phase::Faulty, _)) => None,
        Err(error) => Some(Err(error)),
    }))
}
