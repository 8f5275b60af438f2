//! Trains the rankers on healthy snapshots, with the trainer's own code.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use graph::{HostGraph, Profile};
use schemas::{ModelRelease, Timestamp};
use service::Hint;
use tokio_util::sync::CancellationToken;
use trainer::{
    Progress, TrainerError, TrainingJob,
    dataset::{self, Dataset},
    sampler::Sampler,
};

use crate::{
    case::{CaseFormat, CaseInput},
    case_snapshots::{adapt_to_profile, open_healthy},
    false_alarms::{FalseAlarmCount, days_per_sweep},
    rankers::{Ranker, RankerState, ZScore},
    settings::EvaluationSettings,
};

/// Names and profiles of the rankers that are trained, in the order in which they are shown.
pub const TRAINED_RANKERS: [(&str, Profile); 3] =
    [("detective", Profile::Default), ("classic", Profile::Classic), ("zscore", Profile::Default)];

/// No limit in practice. Fitting must end by its loss alone: a time limit is not reproducible.
const UNLIMITED: Duration = Duration::from_secs(24 * 3600);

/// The rankers of one healthy stream.
pub struct TrainedRankers {
    /// In the order of [`TRAINED_RANKERS`].
    pub rankers: [Ranker; 3],
    /// All roles of the healthy snapshots.
    pub roles: HashSet<String>,
    /// False alarms of each ranker in healthy snapshots that were held out of training. `None` for
    /// recordings, whose benign cases are judged instead, and for streams that are too short.
    pub held_out: Option<[FalseAlarmCount; 3]>,
}

/// The states of all [`TRAINED_RANKERS`] for one host.
pub type RankerStates<'a> = [RankerState<'a>; 3];

/// Starts all rankers on a host. Sweeps are kept for `span_ms` of snapshot time.
pub fn start_rankers<'a>(settings: &EvaluationSettings, rankers: &'a [Ranker; 3], span_ms: i64) -> RankerStates<'a> {
    rankers.each_ref().map(|ranker| ranker.start(settings.alarm.clone(), span_ms))
}

/// Trains all rankers on the healthy snapshots of a case.
///
/// # Errors
/// If the healthy file is missing, malformed or too short, or `shutdown` is cancelled.
pub fn train_rankers(
    settings: &EvaluationSettings,
    input: &CaseInput,
    shutdown: &CancellationToken,
) -> anyhow::Result<TrainedRankers> {
    let training = Training { settings, input, shutdown };
    training.run().with_context(|| format!("cannot learn from the healthy stream `{}`", input.healthy_file()))
}

struct Training<'a> {
    settings: &'a EvaluationSettings,
    input: &'a CaseInput,
    shutdown: &'a CancellationToken,
}

impl Training<'_> {
    fn run(&self) -> anyhow::Result<TrainedRankers> {
        let mut roles = HashSet::new();
        let mut sampler = Sampler::new(self.settings.training.max_snapshots);
        let mut count = 0;
        for snapshot in open_healthy(self.input)? {
            let snapshot = snapshot?;
            roles.extend(snapshot.nodes.iter().map(|node| node.role.clone()));
            sampler.push(schemas::encode(&snapshot)?);
            count += 1;
        }
        let hint = |error: &anyhow::Error| has_too_few_snapshots(error).then_some("give it more healthy snapshots");
        let rankers = self.train_all(sampler.finish()).hint_from(hint)?;
        let held_out = match self.input.format {
            CaseFormat::JsonLines => self.count_held_out(count)?,
            CaseFormat::Recording => None,
        };
        Ok(TrainedRankers { rankers, roles, held_out })
    }

    /// Trains separate models on the first two thirds of the stream, and counts false alarms in the
    /// last third.
    fn count_held_out(&self, count: usize) -> anyhow::Result<Option<[FalseAlarmCount; 3]>> {
        let trained = count * 2 / 3;
        let mut sampler = Sampler::new(self.settings.training.max_snapshots);
        for snapshot in open_healthy(self.input)?.take(trained) {
            sampler.push(schemas::encode(&snapshot?)?);
        }
        let rankers = match self.train_all(sampler.finish()) {
            Err(error) if has_too_few_snapshots(&error) => return Ok(None),
            rankers => rankers?,
        };
        let mut states = start_rankers(self.settings, &rankers, 0);
        let mut counts = [FalseAlarmCount::default(); 3];
        for snapshot in open_healthy(self.input)?.skip(trained) {
            let snapshot = snapshot?;
            let days = days_per_sweep(&snapshot);
            for ((count, state), (_, profile)) in counts.iter_mut().zip(&mut states).zip(TRAINED_RANKERS) {
                count.push(&state.push(adapt_to_profile(profile, self.input.format, snapshot.clone()))?, days);
            }
        }
        Ok(Some(counts))
    }

    fn train_all(&self, encoded: Vec<Vec<u8>>) -> anyhow::Result<[Ranker; 3]> {
        let training = &self.settings.training;
        let default = self.train(Profile::Default, &encoded)?;
        let classic = self.train(Profile::Classic, &encoded)?;
        let snapshots = dataset::decode(encoded, training.max_nodes);
        let calibration_set: Vec<HostGraph> =
            Dataset::new(self.input.healthy_file(), Profile::Default, snapshots)?.calibration_set;
        let zscore = ZScore::new(&default, &calibration_set, training.false_alarms_per_day);
        Ok([Ranker::with_model_and_blame(default)?, Ranker::with_model(classic)?, Ranker::with_zscore(zscore)])
    }

    fn train(&self, profile: Profile, encoded: &[Vec<u8>]) -> anyhow::Result<ModelRelease> {
        let mut config = self.settings.training.clone();
        config.max_time = UNLIMITED;
        let snapshots = dataset::decode(encoded.to_vec(), config.max_nodes);
        let adapt = |snapshot| adapt_to_profile(profile, self.input.format, snapshot);
        let job = TrainingJob {
            cohort: self.input.healthy_file().to_owned(),
            generation: 0,
            profile,
            created_at: Timestamp(0),
            snapshots: snapshots.into_iter().map(adapt).collect(),
            earlier_limits: Vec::new(),
        };
        Ok(trainer::train(&config, job, self.shutdown, &Progress::hidden())?)
    }
}

fn has_too_few_snapshots(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(TrainerError::TooFewSnapshots { .. }))
}
