//! Evaluates the cases of a directory.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::ensure;
use tokio_util::sync::CancellationToken;

use crate::{
    case::Case,
    case_list,
    case_run::{run_case, window_ms},
    judge, pictures,
    results::Results,
    settings::EvaluationSettings,
    table,
    training::{RankerStates, start_rankers, train_rankers},
};

/// Evaluates the cases of a directory; with `only`, just the cases of these names. Writes pictures
/// to the folder `pictures`, if there is one.
///
/// # Errors
/// If a case is malformed or cannot be judged, or `shutdown` is cancelled before the end.
pub fn evaluate_cases(
    settings: &EvaluationSettings,
    directory: &Path,
    only: &[String],
    pictures: Option<PathBuf>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Results> {
    let cases = case_list::read(directory, only)?;
    let pictures = pictures.map(pictures::Folder::create).transpose()?;
    let results = Results { skipped: case_list::read_skipped(directory)?, ..Results::default() };
    let mut evaluation = Evaluation { settings, shutdown, pictures, results };
    for cases in group_by_healthy_file(&cases) {
        evaluation.evaluate_group(&cases)?;
    }
    let position = |name: &str| cases.iter().position(|case| case.name == name);
    let Evaluation { mut results, pictures, .. } = evaluation;
    results.judged.sort_by_key(|judged| position(&judged.case.name));
    if let Some(pictures) = pictures {
        pictures.draw_figures(&results)?;
    }
    Ok(results)
}

/// Groups cases that learn from the same file, so that only the models of one file are in memory.
fn group_by_healthy_file(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: Vec<Vec<&Case>> = Vec::new();
    for case in cases {
        match groups.iter_mut().find(|group| group[0].input.healthy_file() == case.input.healthy_file()) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups
}

struct Evaluation<'a> {
    settings: &'a EvaluationSettings,
    shutdown: &'a CancellationToken,
    pictures: Option<pictures::Folder>,
    results: Results,
}

impl Evaluation<'_> {
    /// Evaluates cases that learn from the same file.
    fn evaluate_group(&mut self, cases: &[&Case]) -> anyhow::Result<()> {
        let Some(first) = cases.first() else { return Ok(()) };
        let began = Instant::now();
        let trained = train_rankers(self.settings, &first.input, self.shutdown)?;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!(
            "learned from `{}` in {seconds:.1} s; {}",
            first.input.healthy_file(),
            table::case_count(cases.len())
        );
        self.results.held_out.extend(trained.held_out.map(|counts| (first.truth.system.clone(), counts.to_vec())));
        let mut kept: Option<RankerStates> = None;
        for case in cases {
            ensure!(!self.shutdown.is_cancelled(), "interrupted before all cases were judged");
            // Benign cases were recorded without a break: an alarm that lasts from one into the
            // next is one alarm.
            let continued = kept.take().filter(|_| case.truth.is_benign);
            let mut states = continued
                .unwrap_or_else(|| start_rankers(self.settings, &trained.rankers, window_ms(case.input.format)));
            let run = run_case(&case.input, &trained, &mut states)?;
            kept = case.truth.is_benign.then_some(states);
            if let Some(pictures) = &mut self.pictures {
                pictures.draw_timeline(case, &run)?;
            }
            self.results.judged.push(judge::judge(case, &run));
        }
        Ok(())
    }
}
